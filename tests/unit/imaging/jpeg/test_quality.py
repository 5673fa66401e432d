import imagecodecs
import numpy as np
import pytest

from restore_cli.imaging.jpeg.segments import read_jpeg
from tests.unit.imaging.pictures import smooth


@pytest.mark.parametrize("quality", [1, 8, 25, 49, 50, 51, 75, 90, 92, 95, 98, 100])
def test_values(quality):
    samples = (smooth() * 255).astype(np.uint8)
    data = bytes(imagecodecs.jpeg8_encode(samples, level=quality))
    assert read_jpeg(data).quality == quality
