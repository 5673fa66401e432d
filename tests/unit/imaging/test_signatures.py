import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.signatures import identify


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"MM\0+", "tiff"),
        (b"P6\n", "ppm"),
        (b"Pf\n", "pfm"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0avifheic", "avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    ],
)
def test_values(data, name):
    assert identify(data) == name


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        ("schöner Text".encode(), "text, not an image"),
        (bytes(100), "not an image"),
        (b"\0\0\0\x14ftypmp42\0\0\0\0isom", "a video"),
        (b"\0\0\0\x14ftypcrx \0\0\0\0crx ", "raw"),
        (b"II*\0\x10\0\0\0CR\2\0", "raw"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"v/1\x01", "OpenEXR"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_errors(data, message):
    with pytest.raises(ImageError, match=message):
        identify(data)
