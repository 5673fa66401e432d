import tracemalloc

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.jobs.restore.prediction import long_strip


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [((300, 200), 1, (300, 64)), ((200, 300), 1, (64, 300)), ((90, 90), 2, (180, 128))],
)
def test_shape(size, scale, expected):
    image = Image(np.zeros((*size, 3), np.float32), np.zeros((*size, 1), np.float32))
    strip = long_strip(image, scale)
    assert strip.pixels.shape == (*expected, 3)
    assert strip.alpha.shape == (*expected, 1)


@pytest.mark.parametrize("size", [(20_000, 4_000), (4_000, 20_000), (9_000, 9_000)])
def test_no_more_than_the_strip_is_held(size):
    image = Image(np.broadcast_to(np.float32(0), (*size, 3)))  # as the header of a large file
    tracemalloc.start()
    try:
        long_strip(image, 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20
