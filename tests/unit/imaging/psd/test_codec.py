import struct

import imagecodecs
import numpy as np
import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import writable_format
from restore_cli.imaging.reading import decode_image


def psd(planes, *, bits=8, mode=3, compression=0, resources=b"") -> bytes:
    channels, height, width = planes.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, bits, mode)
    sections = struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources
    raw = planes.astype(f">u{bits // 8}")
    if compression:
        rows = [imagecodecs.packbits_encode(row.tobytes()) for row in raw.reshape(-1, width)]
        body = b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)
    else:
        body = raw.tobytes()
    return head + sections + struct.pack(">IH", 0, compression) + body


PLANES = np.random.default_rng(0).integers(0, 4, (4, 5, 7)) * 60


@pytest.mark.parametrize("compression", [0, 1])
@pytest.mark.parametrize("bits", [8, 16])
def test_values(bits, compression):
    image = decode_image(psd(PLANES, bits=bits, compression=compression))
    expected = np.moveaxis(PLANES[:3], 0, 2) / ((1 << bits) - 1)
    np.testing.assert_allclose(image.pixels, expected, atol=1e-6)
    assert image.notes == ("layers flattened",)
    assert writable_format(image) == "tiff"


def test_grey_and_resolution():
    fixed = struct.pack(">I4xI4x", 300 << 16, 300 << 16)
    block = b"8BIM" + struct.pack(">HHI", 1005, 0, len(fixed)) + fixed
    image = decode_image(psd(PLANES[:1], mode=1, resources=block))
    assert image.is_grey
    assert image.metadata.dpi == (300, 300)


@pytest.mark.parametrize("compression", [0, 1])
def test_channels_behind_the_colours_take_no_memory(compression):
    data = bytearray(psd(PLANES, compression=compression))
    data[12:14] = b"\xff\xff"
    with pytest.raises(ImageError, match="truncated"):
        decode_image(bytes(data))


def test_errors():
    with pytest.raises(ImageError, match="not supported"):
        decode_image(psd(PLANES, mode=4))
    data = psd(PLANES)
    for length in (20, 30, 36, len(data) - 1):
        with pytest.raises(ImageError, match="truncated"):
            decode_image(data[:length])
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        decode_image(psd(PLANES, bits=8, compression=1)[:-9])
