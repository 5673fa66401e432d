from __future__ import annotations

import numpy as np
import pytest

from restore_cli.metrics.alignment import aligned


@pytest.mark.parametrize("move", [(0, 0), (3, -5), (-6, 6)])
def test_a_shifted_image_is_brought_back(rng, move):
    clean = rng.random((60, 70, 3), dtype=np.float32)
    pixels = np.roll(clean, move, axis=(0, 1))
    image, inner = aligned(pixels, clean)
    assert inner.shape == (30, 40, 3)
    np.testing.assert_array_equal(inner, clean[15:-15, 15:-15])
    np.testing.assert_array_equal(image, inner)


def test_only_so_far(rng):
    clean = rng.random((60, 70, 1), dtype=np.float32)
    image, inner = aligned(np.roll(clean, 7, axis=0), clean)
    assert np.abs(image - inner).mean() > 0.1
    image, inner = aligned(np.roll(clean, 7, axis=0), clean, shift=7)
    np.testing.assert_array_equal(image, inner)


@pytest.mark.parametrize(
    ("shape", "border", "what"),
    [((60, 70, 3), 15, "cannot align"), ((60, 70, 1), 5, "cannot"), ((60, 70, 1), 30, "nothing")],
)
def test_errors(rng, shape, border, what):
    clean = rng.random((60, 70, 1), dtype=np.float32)
    with pytest.raises(ValueError, match=what):
        aligned(np.zeros(shape, np.float32), clean, border=border)
