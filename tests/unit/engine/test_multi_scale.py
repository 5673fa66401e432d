from __future__ import annotations

import numpy as np
import pytest
import torch

from models.registry import size_rule
from restore_cli.engine.multi_scale import restore_scales, scale_sizes
from restore_cli.engine.padding import crop_like, pad_to_multiple
from restore_cli.engine.pixel_sources import ArraySource
from restore_cli.engine.restorer import Restorer
from restore_cli.engine.tiling import make_grid
from restore_cli.errors import UsageError


def restorer(model, tile=0, **options):
    overlap = 142 if tile else "auto"  # the halo, rounded up
    options = {"precision": "fp32", "overlap": overlap, "check": False, **options}
    return Restorer(model, device="cpu", tile=tile, **options)


def by_the_network(model, pixels):
    network, card = model
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].expand(1, 3, -1, -1)
    padded = pad_to_multiple(image, size_rule(card.architecture, card.config))
    restored = crop_like(network.restore(padded), image)[0].permute(1, 2, 0).numpy()
    return restored.mean(axis=2, keepdims=True) if pixels.shape[2] == 1 else restored


@pytest.mark.parametrize(
    "size", [(501, 333, 3), (130, 700, 3), (417, 640, 3), (20, 37, 1), (3, 1, 3)]
)
@pytest.mark.parametrize(("count", "tile"), [(2, 0), (2, 352), (3, 0), (3, 416), (4, 576)])
def test_tiles_at_every_scale_are_exact(scales, rng, size, count, tile):
    model = scales(count)
    pixels = rng.random(size, dtype=np.float32)
    expected = by_the_network(model, pixels)
    assert np.abs(expected - pixels).mean() > 0.02, "the network must do something"
    np.testing.assert_allclose(restorer(model, tile)(pixels), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("count", "tile"), [(2, 64), (3, 128), (4, 256)])
def test_the_least_tile_is_what_the_size_rule_leaves_something_of(scales, rng, count, tile):
    model = scales(count)
    pixels = rng.random((3 * tile // 2, tile + 1, 3), dtype=np.float32)
    assert restorer(model, tile, overlap="auto")(pixels).shape == pixels.shape
    with pytest.raises(UsageError, match=f"neither 0 nor at least {tile}"):
        restorer(model, tile - 1, overlap="auto")


def test_coarser_scales_matter(two_scales, rng):
    network, _ = two_scales
    pixels = rng.random((64, 96, 3), dtype=np.float32)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    alone = network.at_one_scale(image)[0][0].permute(1, 2, 0).numpy()
    assert np.abs(restorer(two_scales)(pixels) - alone).max() > 0.01


def test_rows_come_as_from_an_image_in_memory(two_scales, rng):
    pixels = rng.random((700, 420, 3), dtype=np.float32)
    engine = restorer(two_scales, tile=384)
    rows = list(engine.stream(ArraySource(pixels)))
    assert len(rows) > 1
    np.testing.assert_array_equal(np.concatenate(rows), engine(pixels))


def test_flips_are_averaged_at_every_scale(two_scales, rng):
    pixels = rng.random((48, 64, 3), dtype=np.float32)
    engine = restorer(two_scales, tta=True)
    turned = np.ascontiguousarray(pixels[::-1, ::-1])
    np.testing.assert_allclose(engine(turned)[::-1, ::-1], engine(pixels), rtol=0, atol=1e-5)


def test_a_coarser_image_is_made_no_earlier_than_needed():
    """Read from a tall image what the first rows of tiles need, and no more."""
    reached = []

    def read(top, bottom, left, right):
        reached.append(bottom)
        return torch.rand(1, 3, bottom - top, right - left)

    def run(tiles):
        yield from tiles

    height, width, tile = 6400, 64, 128
    grids = [
        make_grid(*size, tile=tile, halo=16, multiple_of=16)
        for size in scale_sizes(height, width, 2, 16)
    ]
    rows = restore_scales(run, read, grids, 16)
    next(rows)
    assert max(reached) <= 4 * tile
    for _ in rows:
        pass
    assert max(reached) == height


@pytest.mark.parametrize(
    ("size", "multiple_of", "sizes"),
    [
        ((100, 50), 8, [(100, 50)]),
        ((100, 50), 16, [(100, 50), (56, 32)]),
        ((100, 50), 32, [(100, 50), (64, 32), (32, 16)]),
    ],
)
def test_scale_sizes(size, multiple_of, sizes):
    assert scale_sizes(*size, len(sizes), multiple_of) == sizes
