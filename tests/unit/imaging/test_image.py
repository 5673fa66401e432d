import numpy as np
import pytest

from restore_cli.imaging.image import Image
from tests.unit.imaging.pictures import smooth


def test_shape():
    image = Image(smooth(24, 40))
    assert (image.height, image.width, image.is_grey) == (24, 40, False)
    assert Image(smooth(channels=1)).is_grey


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 2), np.float32),
        np.zeros((0, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.float64),
    ],
)
def test_errors(pixels):
    with pytest.raises(ValueError, match="pixels are"):
        Image(pixels)


def test_alpha_has_the_size_of_the_pixels():
    with pytest.raises(ValueError, match="alpha is"):
        Image(smooth(24, 40), np.ones((24, 39, 1), np.float32))


def test_with_pixels_keeps_the_rest_and_resizes_alpha():
    alpha = smooth(24, 40, 1)
    image = Image(smooth(24, 40), alpha, depth="uint16", notes=("a",))
    same = image.with_pixels(smooth(24, 40, 1))
    assert same.is_grey
    assert same.alpha is alpha
    assert (same.depth, same.notes) == ("uint16", ("a",))
    larger = image.with_pixels(smooth(48, 80))
    assert larger.alpha is not None
    assert larger.alpha.shape == (48, 80, 1)
    assert abs(float(larger.alpha.mean() - alpha.mean())) < 0.01


def test_with_notes_adds_at_the_end():
    assert Image(smooth(), notes=("a",)).with_notes("b", "c").notes == ("a", "b", "c")
