import itertools

import pytest
import torch
from torch import nn

from models import ARCHITECTURES
from models.registry import make_config
from restore_cli.engine.padding import crop_like, pad_to_multiple
from restore_cli.engine.tiling import make_grid, plan, restore_rows, tile_starts


def restore_tiled(restore, image, *, progress=None, **tiles):
    """Restore a whole image (1, C, H, W), one tile after another."""

    def read(top, bottom, left, right):
        return image[..., top:bottom, left:right]

    grid = make_grid(*image.shape[-2:], **tiles)
    rows = restore_rows(lambda windows: map(restore, windows), read, grid, progress)
    return torch.cat(list(rows), dim=-2)


SIZES = [(64, 64), (97, 61), (20, 200), (1, 133)]


@pytest.mark.parametrize(
    ("size", "tile", "shared", "multiple_of"),
    [(100, 32, 8, 1), (1001, 128, 80, 4), (513, 512, 504, 4), (300, 96, 20, 16), (97, 64, 0, 8)],
)
def test_starts_cover_the_axis_and_keep_the_rules(size, tile, shared, multiple_of):
    starts, length = tile_starts(size, tile, shared, multiple_of)
    assert starts[0] == 0
    assert length <= tile
    assert size <= starts[-1] + length < size + multiple_of
    assert all(start % multiple_of == 0 for start in (*starts, length))
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert max(gaps) <= length - shared
    assert max(gaps) - min(gaps) <= multiple_of, "tiles are spread evenly"


def test_tiles_fit_the_image_instead_of_leaving_a_sliver():
    starts, length = tile_starts(110, 100, shared=10)
    assert (starts, length) == ([0, 50], 60)
    assert tile_starts(100, 100, shared=10) == ([0], 100)


def test_errors():
    with pytest.raises(ValueError, match="no larger than the 40"):
        tile_starts(100, 40, shared=40)
    with pytest.raises(ValueError, match="no larger"):
        restore_tiled(lambda t: t, torch.zeros(1, 3, 99, 9), tile=32, halo=8, fade=16)


@pytest.mark.parametrize("tile", [40, 64, 90])
@pytest.mark.parametrize("fade", [0, 5, 16])
def test_weights_sum_to_one(tile, fade):
    spans = plan(301, tile=tile, halo=8, fade=fade, multiple_of=4)
    total = torch.zeros(301)
    for span in spans:
        total[span.kept_start : span.kept_stop] += span.weights
        assert span.kept_start in (0, span.start + 8)
        assert span.kept_stop in (301, span.stop - 8)
    torch.testing.assert_close(total, torch.ones(301))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fade", [0, 2])
def test_tiles_of_the_identity_are_the_image(size, fade):
    image = torch.rand(1, 3, *size)
    restored = restore_tiled(lambda t: t, image, tile=32, halo=3, fade=fade)
    torch.testing.assert_close(restored, image)


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize("tile", [24, 48, 77])
def test_a_sufficient_halo_makes_tiles_exact(padding_mode, tile):
    conv = nn.Conv2d(3, 3, 5, padding=2, padding_mode=padding_mode).requires_grad_(False)
    image = torch.rand(1, 3, 100, 131)
    torch.testing.assert_close(restore_tiled(conv, image, tile=tile, halo=2, fade=4), conv(image))


def test_an_insufficient_halo_does_not():
    conv = nn.Conv2d(3, 3, 9, padding=4).requires_grad_(False)
    image = torch.rand(1, 3, 100, 131)
    difference = restore_tiled(conv, image, tile=48, halo=1, fade=0) - conv(image)
    assert difference.abs().max() > 1e-2


@pytest.mark.parametrize("size", [(148, 260), (203, 301), (97, 333), (5, 333)])
@pytest.mark.parametrize("tile", [128, 160, 205])
def test_tiles_of_a_network_are_exact(narrow, size, tile):
    network, card = narrow
    halo = ARCHITECTURES[card.architecture].halo(make_config(card.architecture, card.config))

    def restore(image):
        return crop_like(network.restore(pad_to_multiple(image, 4)), image)

    image = torch.rand(1, 3, *size)
    whole = restore(image)
    assert (whole - image).abs().mean() > 0.05, "the network must do something"
    tiled = restore_tiled(restore, image, tile=tile, halo=halo, multiple_of=4)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)


def test_progress_counts_tiles_of_one_shape():
    seen, shapes = [], set()

    def restore(tile):
        shapes.add(tuple(tile.shape))
        return tile

    image = torch.rand(1, 3, 96, 128)
    restore_tiled(restore, image, tile=64, halo=4, fade=8, progress=lambda *step: seen.append(step))
    assert seen == [(step, len(seen)) for step in range(1, len(seen) + 1)]
    assert len(shapes) == 1


def test_only_tiles_are_asked_for():
    def restore(tile):
        assert max(tile.shape[-2:]) <= 64
        return tile.double()

    image = torch.rand(1, 3, 200, 65)
    assert torch.allclose(restore_tiled(restore, image, tile=64, halo=4).float(), image)
