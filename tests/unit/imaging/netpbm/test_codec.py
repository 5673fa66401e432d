import numpy as np
import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.reading import decode_image


@pytest.mark.parametrize(
    ("data", "depth", "expected"),
    [
        (b"P1\n2 2\n1 0\n0 1\n", "uint8", [[0, 1], [1, 0]]),
        (b"P1 2 2 1001", "uint8", [[0, 1], [1, 0]]),
        (b"P4\n2 2\n\x80\x40", "uint8", [[0, 1], [1, 0]]),
        (b"P2\n# made by hand\n2 2\n100\n100 0 50 1", "uint8", [[1, 0], [0.5, 0.01]]),
        (b"P5 2 2 200\n\xc8\x00\x64\x02", "uint8", [[1, 0], [0.5, 0.01]]),
        (b"P5\n2 1\n1000\n\x03\xe8\x01\xf4", "uint16", [[1, 0.5]]),
        (b"Pf\n1 2\n-1\n" + np.array([2, -1], "<f4").tobytes(), "float32", [[-1], [2]]),
        (b"Pf\n1 2\n1.0\n" + np.array([2, -1], ">f4").tobytes(), "float32", [[-1], [2]]),
    ],
)
def test_values(data, depth, expected):
    image = decode_image(data)
    assert image.depth == depth
    np.testing.assert_allclose(image.pixels[..., 0], expected, atol=1e-6)


def test_colour():
    for data in (b"P6 1 1 255\n\xff\0\x33", b"P3 1 1 5 5 0 1"):
        np.testing.assert_allclose(decode_image(data).pixels, [[[1, 0, 0.2]]], atol=1e-6)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P5\n2 2\n255\nabc", "truncated"),
        (b"P1 2 2 100", "truncated"),
        (b"P2 2 2 9 1 2 3", "truncated"),
        (b"P2 1 1 9 x", "text where numbers belong"),
        (b"P5\n2", "damaged header"),
        (b"P5 2 2 70000\n", "maximum of 70000"),
        (b"P5 99999 99999 255\n", "megapixels"),
        (b"P5 0 5 255\n", "0×5"),
        (b"PF\n2 2\nx\n", "damaged header"),
    ],
)
def test_errors(data, message):
    with pytest.raises(ImageError, match=message):
        decode_image(data)
