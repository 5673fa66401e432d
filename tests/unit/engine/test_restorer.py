import dataclasses
import logging

import numpy as np
import pytest
import torch

from restore_cli.engine.restorer import Restorer
from restore_cli.errors import DeviceError, ResultError, UsageError, WeightsError
from restore_cli.weights.files import save_model

SIZES = [(1, 1), (5, 3), (7, 301), (64, 48)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape(narrow, rng, size, channels):
    pixels = rng.random((*size, channels), dtype=np.float32)
    kept = pixels.copy()
    restored = Restorer(narrow, check=False)(pixels)
    assert restored.shape == pixels.shape
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(pixels, kept)


@pytest.mark.parametrize("tta", [False, True])
def test_tiles_equal_the_whole(narrow, rng, tta):
    pixels = rng.random((203, 301, 3), dtype=np.float32)
    whole = Restorer(narrow, tile=0, tta=tta, check=False)(pixels)
    steps = []
    tiled = Restorer(narrow, tile=192, tta=tta, check=False)
    restored = tiled(pixels, progress=lambda *step: steps.append(step))
    assert len(steps) == steps[-1][0] == steps[-1][1] > 1
    np.testing.assert_allclose(restored, whole, rtol=0, atol=1e-5)


def test_memory_decides_the_tiles(narrow, rng):
    pixels = rng.random((200, 260, 3), dtype=np.float32)
    steps = []
    small = Restorer(narrow, precision="fp32", check=False)
    small.max_memory_bytes = 2 * 180**2 * small.bytes_per_pixel
    restored = small(pixels, lambda *step: steps.append(step))
    assert steps[-1][1] > 1
    whole = Restorer(narrow, precision="fp32", max_memory_bytes=2**30, check=False)(pixels)
    np.testing.assert_allclose(restored, whole, rtol=0, atol=1e-5)


def test_running_out_of_memory_makes_tiles_smaller(pointwise, rng, caplog):
    sides = []

    def restore(image):
        sides.append(max(image.shape[-2:]))
        if image.shape[-1] > 130:
            raise torch.OutOfMemoryError
        return image

    pixels = rng.random((100, 512, 3), dtype=np.float32)
    with caplog.at_level(logging.WARNING):
        restored = Restorer(pointwise(restore), tile=0, precision="fp32")(pixels)
    np.testing.assert_allclose(restored, pixels, rtol=0, atol=1e-6)
    assert sides[0] == 512
    assert sides[-1] <= 128
    assert "smaller" in caplog.text


def test_never_enough_memory_is_a_device_error(pointwise):
    def restore(image):
        raise torch.OutOfMemoryError

    with pytest.raises(DeviceError, match="out of memory"):
        Restorer(pointwise(restore))(np.zeros((9, 300, 3), np.float32))


def test_grey_is_restored_as_grey(narrow, rng):
    grey = rng.random((24, 20, 1), dtype=np.float32)
    colour = Restorer(narrow, check=False)(np.repeat(grey, 3, axis=2))
    restored = Restorer(narrow, check=False)(grey)
    np.testing.assert_allclose(restored, colour.mean(2, keepdims=True), rtol=0, atol=1e-6)


def test_highlights_above_one_survive(pointwise, rng):
    pixels = 40 * rng.random((33, 35, 3), dtype=np.float32)
    restored = Restorer(pointwise(lambda x: x))(pixels)
    np.testing.assert_array_equal(restored, pixels)
    assert not np.may_share_memory(restored, pixels)


def test_strength_blends_with_the_input(narrow, rng):
    pixels = rng.random((16, 16, 3), dtype=np.float32)
    full, half, none = (Restorer(narrow, strength=s, check=False)(pixels) for s in (1, 0.5, 0))
    np.testing.assert_allclose(half, (pixels + full) / 2, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(none, pixels)


def test_a_tile_that_fails_is_done_again_in_fp32(pointwise, rng):
    calls = []

    def restore(image):
        calls.append(torch.is_autocast_enabled("cpu"))
        return image * float("nan") if calls[-1] else image

    pixels = rng.random((16, 16, 3), dtype=np.float32)
    restored = Restorer(pointwise(restore), precision="bf16")(pixels)
    np.testing.assert_array_equal(restored, pixels)
    assert calls == [True, False]


@pytest.mark.parametrize(
    "function", [lambda x: x * float("nan"), lambda x: x + 0.2], ids=["nan", "shift"]
)
def test_a_bad_result_is_refused(pointwise, rng, function):
    with pytest.raises(ResultError):
        Restorer(pointwise(function))(rng.random((40, 40, 3), dtype=np.float32))


def test_a_shift_is_allowed_where_it_is_wanted(pointwise, rng):
    pixels = rng.random((40, 40, 3), dtype=np.float32)
    for options, changes in (({"check": False}, {}), ({}, {"task": "enhance"})):
        restored = Restorer(pointwise(lambda x: x + 0.2, **changes), **options)(pixels)
        np.testing.assert_allclose(restored, pixels + 0.2, rtol=1e-6)


@pytest.mark.parametrize(("error", "expected"), [(0.0, "bf16"), (0.01, "fp32")])
def test_automatic_bf16_is_tried_before_it_is_used(monkeypatch, pointwise, error, expected):
    monkeypatch.setattr("restore_cli.engine.device.has_native_bf16", lambda: True)
    model = pointwise(lambda x: x + error * torch.is_autocast_enabled("cpu"))
    restorer = Restorer(model)
    assert restorer.precision == "bf16"
    restored = restorer(np.full((40, 300, 3), 0.5, np.float32))
    assert restorer.precision == expected
    assert restored.max() == 0.5


def test_the_model_is_left_as_it_was(narrow, rng):
    network, card = narrow
    network.train()
    network.head.eval()  # a part someone has frozen
    try:
        Restorer((network, card), check=False)(rng.random((8, 8, 3), dtype=np.float32))
        assert network.training
        assert not network.head.training
    finally:
        network.eval()


def test_a_file_and_the_network_in_memory_agree(narrow, rng, tmp_path):
    network, card = narrow
    save_model(tmp_path / "narrow.safetensors", network, card)
    from_file = Restorer(tmp_path / "narrow.safetensors", check=False)
    assert from_file.card.name == "narrow"
    pixels = rng.random((17, 13, 3), dtype=np.float32)
    expected = Restorer(narrow, check=False)(pixels)
    np.testing.assert_allclose(from_file(pixels), expected, rtol=0, atol=1e-5)


class Recorded:
    """A source that notes what is read."""

    def __init__(self, pixels):
        self.shape = pixels.shape
        self.pixels = pixels
        self.windows = []

    def read(self, top, bottom, left, right):
        self.windows.append((top, bottom, left, right))
        return self.pixels[top:bottom, left:right]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_a_stream_gives_the_same_pixels(narrow, rng, channels, strength):
    pixels = rng.random((500, 210, channels), dtype=np.float32)
    restorer = Restorer(narrow, tile=160, strength=strength, check=False)
    source, steps = Recorded(pixels), []
    rows = list(restorer.stream(source, lambda *step: steps.append(step)))
    assert len(rows) > 2
    np.testing.assert_array_equal(np.concatenate(rows), restorer(pixels))
    if strength:
        assert steps[-1][0] == steps[-1][1] == len(steps)
        assert max(bottom - top for top, bottom, _, _ in source.windows) <= 160


def test_rows_of_a_stream_come_before_the_image_is_read(narrow, rng):
    source = Recorded(rng.random((1000, 150, 3), dtype=np.float32))
    rows = Restorer(narrow, tile=160, check=False).stream(source)
    next(rows)
    assert max(bottom for _, bottom, _, _ in source.windows) < 1000


def test_a_stream_is_checked_too(pointwise, rng):
    source = Recorded(rng.random((300, 40, 3), dtype=np.float32))
    with pytest.raises(ResultError, match="mean colour"):
        list(Restorer(pointwise(lambda x: x + 0.2), tile=128).stream(source))


def test_running_out_of_memory_at_the_start_of_a_stream(pointwise, rng):
    def restore(image):
        if image.shape[-1] > 130:
            raise torch.OutOfMemoryError
        return image

    source = Recorded(rng.random((300, 400, 3), dtype=np.float32))
    rows = list(Restorer(pointwise(restore), tile=256).stream(source))
    np.testing.assert_allclose(np.concatenate(rows), source.pixels, rtol=0, atol=1e-6)


def test_measured_context_makes_tiles_larger_inside(narrow):
    network, card = narrow
    measured = dataclasses.replace(card, context=8)
    assert Restorer((network, measured)).context(256) == 8
    assert Restorer((network, card)).context(256) == 48  # its halo
    assert Restorer((network, measured), overlap=40).context(256) == 40


@pytest.mark.parametrize("tile", [0, 192])
def test_a_border_is_mirrored_and_cut(narrow, rng, tile):
    network, card = narrow
    bordered = (network, dataclasses.replace(card, border=16))
    pixels = rng.random((203, 301, 3), dtype=np.float32)
    around = np.pad(pixels, ((16, 16), (16, 16), (0, 0)), mode="reflect")
    expected = Restorer(narrow, tile=0, check=False)(around)[16:-16, 16:-16]
    restorer = Restorer(bordered, tile=tile, check=False)
    np.testing.assert_allclose(restorer(pixels), expected, rtol=0, atol=1e-5)
    rows = np.concatenate(list(restorer.stream(Recorded(pixels))))
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-5)
    assert restorer(pixels[:3, :5]).shape == (3, 5, 3)


def test_errors(narrow):
    for options in ({"strength": 1.5}, {"overlap": -1}):
        with pytest.raises(ValueError, match=str(*options.values())):
            Restorer(narrow, **options)
    for tile in (-1, 12):
        with pytest.raises(UsageError, match=f"tile {tile} is neither"):
            Restorer(narrow, tile=tile)
    with pytest.raises(UsageError, match="overlap of 60"):
        Restorer(narrow, tile=128, overlap=60)
    with pytest.raises(WeightsError):
        Restorer("no-such-model-at-all")
    with pytest.raises(ValueError, match="finite"):
        Restorer(narrow)(np.full((4, 4, 3), np.nan, np.float32))
