import numpy as np
import pytest

from restore_cli.imaging.pixels import (
    fill_transparent,
    finite_pixels,
    from_float,
    join_alpha,
    split_alpha,
    to_float,
)


@pytest.mark.parametrize(("depth", "maximum"), [("uint8", 255), ("uint16", 65535)])
def test_every_integer_survives(depth, maximum):
    values = np.arange(maximum + 1, dtype=depth).reshape(1, -1)
    pixels = to_float(values, maximum)
    assert pixels.shape == (1, maximum + 1, 1)
    np.testing.assert_array_equal(from_float(pixels, depth)[..., 0], values)


def test_twelve_bits_survive():
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    np.testing.assert_array_equal(
        from_float(to_float(values, 4095), "uint16", 4095)[..., 0], values
    )


def test_values_are_rounded_and_clamped():
    pixels = np.array([-1, 0.4999 / 255, 0.5001 / 255, 254.6 / 255, 7, np.inf, -np.inf, np.nan])
    result = from_float(pixels.astype(np.float32), "uint8")
    assert result.tolist() == [0, 0, 1, 255, 255, 255, 0, 0]


def test_float_passes_unchanged():
    pixels = np.array([[[-1.0], [np.nan], [9.0]]], np.float32)
    np.testing.assert_array_equal(from_float(pixels, "float32"), pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_alpha_splits_and_joins(channels):
    samples = np.random.default_rng(0).random((3, 4, channels), np.float32)
    pixels, alpha = split_alpha(samples)
    assert (alpha is not None) == (channels in (2, 4))
    np.testing.assert_array_equal(join_alpha(pixels, alpha), samples)


def test_hidden_colour_is_replaced_by_the_nearest_visible_one():
    pixels = np.zeros((1, 6, 3), np.float32)
    pixels[0, :, 0] = [0.1, 0.9, 0.9, 0.9, 0.9, 0.2]
    alpha = np.array([1, 0, 0, 0, 0, 0.01], np.float32).reshape(1, 6, 1)
    filled = fill_transparent(pixels, alpha)
    np.testing.assert_allclose(filled[0, :, 0], [0.1, 0.1, 0.1, 0.2, 0.2, 0.2])


def test_a_fully_transparent_picture_becomes_black():
    filled = fill_transparent(np.ones((3, 3, 1), np.float32), np.zeros((3, 3, 1), np.float32))
    assert not filled.any()


def test_holes_are_filled_and_reported():
    pixels = np.full((9, 9, 3), 0.5, np.float32)
    pixels[4, 4, 1] = np.nan
    pixels[0, 0] = np.inf
    filled, holes = finite_pixels(pixels)
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled, 0.5)
    assert np.argwhere(holes).tolist() == [[0, 0], [4, 4]]


def test_without_holes_nothing_is_copied():
    pixels = np.ones((3, 3, 1), np.float32)
    filled, holes = finite_pixels(pixels)
    assert filled is pixels
    assert not holes.any()
    assert not finite_pixels(np.full((2, 2, 1), np.nan, np.float32))[0].any()
