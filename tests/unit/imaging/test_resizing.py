from __future__ import annotations

import numpy as np
import pytest

from restore_cli.imaging.resizing import enlarge, repeat


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_shape(rng, channels, scale):
    pixels = rng.random((5, 7, channels), dtype=np.float32)
    for resize in (enlarge, repeat):
        resized = resize(pixels, scale)
        assert resized.shape == (5 * scale, 7 * scale, channels)
        assert resized.dtype == np.float32


def test_a_ramp_stays_one():
    ramp = np.linspace(0.1, 0.9, 17, dtype=np.float32)
    pixels = np.broadcast_to(ramp[None, :, None], (6, 17, 3)).copy()
    # The centres of pixels keep their place, a quarter of a pixel beside the new ones.
    expected = np.interp(np.arange(34) / 2 - 0.25, np.arange(17), ramp)
    resized = enlarge(pixels, 2)
    np.testing.assert_allclose(resized[3, 4:-4, 0], expected[4:-4], atol=5e-3)


def test_an_edge_does_not_leave_the_range():
    pixels = np.zeros((6, 6, 1), np.float32)
    pixels[:, 3:] = 1
    resized = enlarge(pixels, 3)
    assert (resized.min(), resized.max()) == (0, 1)


def test_repeat_keeps_every_value(rng):
    pixels = rng.random((3, 4, 3), dtype=np.float32) * 7 - 2
    pixels[1, 1] = np.nan
    np.testing.assert_array_equal(repeat(pixels, 3), np.kron(pixels, np.ones((3, 3, 1))))
