"""Every file in samples/broken gives its own one-line error and nothing on stderr."""

import struct

import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.reading import decode_image, read_image
from tests.unit.imaging.pictures import BROKEN_FOLDER, FORMATS_FOLDER

EXPECTED = {
    "bad_filter.png": "damaged PNG: bad adaptive filter",
    "bad_signature.png": "broken signature",
    "bayer.tif": "raw sensor data",
    "bomb.gif": "40000×40000 pixels",
    "bomb.jpg": "65535×65535 pixels",
    "bomb.png": "100000×100000 pixels",
    "bomb.tif": "100000×100000 pixels",
    "empty.png": "the file is empty",
    "ends_early.jpg": "damaged JPEG: premature end",
    "no_picture.jpg": "JPEG without a picture",
    "no_pixels.png": "PNG without image data",
    "phone.heic": "HEIC without a picture",
    "text.png": "text, not an image",
    "too_few_rows.png": "damaged PNG: Not enough image data",
    "truncated.avif": "damaged AVIF",
    "truncated.bmp": "damaged BMP",
    "truncated.gif": "damaged GIF",
    "truncated.jp2": "JPEG 2000 without a picture",
    "truncated.jpg": "truncated JPEG",
    "truncated.pgm": "truncated netpbm",
    "truncated.png": "truncated PNG",
    "truncated.tif": "truncated TIFF",
    "truncated.webp": "truncated WebP",
    "wrong_checksum.png": "wrong checksum in IDAT",
}


def test_every_file_has_an_expectation():
    files = {path.name for path in BROKEN_FOLDER.iterdir()} - {"README.md"}
    assert files == set(EXPECTED)


def test_an_odd_length_of_its_header_does_not_hide_the_size_of_a_bmp():
    data = bytearray((FORMATS_FOLDER / "photo.bmp").read_bytes())
    data[14:26] = struct.pack("<III", 268, 0x10001, 60_000)  # as 16 bits, 1 and 1
    with pytest.raises(ImageError, match="65537×60000 pixels"):
        decode_image(bytes(data))


@pytest.mark.parametrize("name", EXPECTED)
def test_errors(name, capfd):
    path = BROKEN_FOLDER / name
    with pytest.raises(ImageError, match=EXPECTED[name]) as caught:
        read_image(path)
    assert caught.value.path == str(path)
    assert caught.value.hint or "netpbm" in caught.value.what
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
