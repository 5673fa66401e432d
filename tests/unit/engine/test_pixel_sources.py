import numpy as np
import pytest

from restore_cli.engine.pixel_sources import ArraySource, MirroredSource


@pytest.mark.parametrize("border", [1, 4, 7])
def test_mirrored_borders(rng, border):
    pixels = rng.random((8, 11, 3), dtype=np.float32)
    expected = np.pad(pixels, ((border, border), (border, border), (0, 0)), mode="reflect")
    source = MirroredSource(ArraySource(pixels), border)
    assert source.shape == expected.shape
    height, width, _ = expected.shape
    for top, bottom in ((0, height), (0, 1), (2, 5), (height - 3, height)):
        for left, right in ((0, width), (width - 1, width), (3, 9)):
            window = source.read(top, bottom, left, right)
            np.testing.assert_array_equal(window, expected[top:bottom, left:right])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3)])
def test_images_smaller_than_their_border(rng, size):
    pixels = rng.random((*size, 1), dtype=np.float32)
    window = MirroredSource(ArraySource(pixels), 6).read(0, size[0] + 12, 0, size[1] + 12)
    expected = np.pad(pixels, ((6, 6), (6, 6), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(window, expected)
