import struct
import zlib

import numpy as np
import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.png import chunks as png_chunks
from restore_cli.imaging.reading import decode_image
from restore_cli.imaging.writing import encode_image
from tests.unit.imaging.pictures import smooth


def chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(kind + payload)
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def png(width: int, bits: int, colour: int, row: bytes, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return png_chunks.SIGNATURE + header + b"".join(extra) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("bits", "row", "key", "width", "values", "alpha"),
    [
        (8, b"\x10\x20", b"\0\x10", 2, [16 / 255, 32 / 255], [0, 1]),
        (16, b"\x10\x11\x20\x20", b"\x10\x11", 2, [0x1011 / 65535, 0x2020 / 65535], [0, 1]),
        (2, b"\x1b", b"\0\2", 4, [0, 1 / 3, 2 / 3, 1], [1, 1, 0, 1]),
    ],
)
def test_a_transparent_grey(bits, row, key, width, values, alpha):
    image = decode_image(png(width, bits, 0, row, chunk(b"tRNS", key)))
    np.testing.assert_allclose(image.pixels[0, :, 0], values, atol=1e-6)
    assert image.alpha is not None
    assert image.alpha[0, :, 0].tolist() == alpha


def test_a_transparent_colour_and_palette():
    image = decode_image(png(2, 8, 2, b"\x10\x20\x30\1\2\3", chunk(b"tRNS", b"\0\x10\0\x20\0\x30")))
    assert image.alpha is not None
    assert image.alpha[0, :, 0].tolist() == [0, 1]
    palette = chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255]))
    image = decode_image(png(2, 8, 3, b"\0\1", palette, chunk(b"tRNS", b"\x33")))
    assert image.pixels[0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert image.alpha is not None
    np.testing.assert_allclose(image.alpha[0, :, 0], [0.2, 1])


def test_a_text_bomb_is_never_inflated():
    bomb = zlib.compress(bytes(100 << 20), 9)
    image = decode_image(
        png(
            1,
            8,
            0,
            b"\x80",
            chunk(b"zTXt", b"Comment\0\0" + bomb),
            chunk(b"iCCP", b"icc\0\0" + bomb),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb),
        )
    )
    assert (image.metadata.icc, image.metadata.xmp) == (None, None)


def test_every_cut_is_an_error():
    data = encode_image(Image(smooth(64, 64)), format="png")
    for length in range(9, len(data), 13):
        with pytest.raises(ImageError):
            decode_image(data[:length])


def test_damage_to_any_byte_that_makes_pixels_is_an_error():
    data = encode_image(Image(smooth(16, 16)), format="png")
    for position in range(16, len(data), 11):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        with pytest.raises(ImageError):
            decode_image(bytes(damaged))


def test_a_damaged_text_chunk_is_passed_over():
    text = bytearray(chunk(b"tEXt", b"Comment\0hello"))
    text[-1] ^= 1
    assert decode_image(png(1, 8, 0, b"\x80", bytes(text))).notes == ()
