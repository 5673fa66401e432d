"""Recognises a file's format by its first bytes."""

from __future__ import annotations

import re

from restore_cli.errors import ImageError

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"8BPS", "psd"),
    (b"BM", "bmp"),
)
_NETPBM = re.compile(rb"P([1-6fF])[ \t\r\n#]")
_NETPBM_NAMES = {b"3": "ppm", b"6": "ppm", b"f": "pfm", b"F": "pfm"}

_CONVERT = "convert it to PNG, JPEG or TIFF first"
_DEVELOP = "develop it in a raw converter and export TIFF"
_UNSUPPORTED: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\x0a", "JPEG XL is not supported", _CONVERT),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL is not supported", _CONVERT),
    (b"v/1\x01", "OpenEXR is not supported", "convert it to float TIFF first"),
    (b"#?R", "Radiance HDR is not supported", "convert it to float TIFF first"),
    (b"%PDF", "a PDF document, not an image", "extract its pictures first"),
    (b"FUJIFILM", "a camera's raw file is not supported", _DEVELOP),
    (b"IIU\0", "a camera's raw file is not supported", _DEVELOP),
    (b"IIRO", "a camera's raw file is not supported", _DEVELOP),
    (b"IIRS", "a camera's raw file is not supported", _DEVELOP),
    (b"MMOR", "a camera's raw file is not supported", _DEVELOP),
    (b"P7\n", "PAM is not supported", _CONVERT),
)
_RAW_BRAND = b"crx "
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_VIDEO = ("a video, not an image", "extract a frame first")
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+")


def identify(data: bytes) -> str:
    """Return the name of the format in ``formats.FORMATS``.

    Raises:
        ImageError: empty, text, or a format we cannot read.
    """
    if not data:
        raise ImageError("the file is empty", hint="copy it again from the source")
    if data[:2] == b"II" and data[8:10] == b"CR":
        raise ImageError("a camera's raw file is not supported", hint=_DEVELOP)
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    netpbm = _NETPBM.match(data)
    if netpbm is not None:
        return _NETPBM_NAMES.get(netpbm.group(1), "pgm")
    if data[4:8] == b"ftyp":
        return _identify_brand(data)
    for start, what, hint in _UNSUPPORTED:
        if data.startswith(start):
            raise ImageError(what, hint=hint)
    raise _unknown(data)


def _identify_brand(data: bytes) -> str:
    """Distinguish AVIF, HEIC and videos by the brands of the first box."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[k : k + 4] for k in range(16, size, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "avif"
    if _RAW_BRAND in brands:
        raise ImageError("a camera's raw file is not supported", hint=_DEVELOP)
    if not _HEIC_BRANDS.isdisjoint(brands):
        return "heic"
    raise ImageError(_VIDEO[0], hint=_VIDEO[1])


def _unknown(data: bytes) -> ImageError:
    if data[1:4] == b"PNG" or data[:8].replace(b"\n", b"").startswith(b"\x89PNG"):
        return ImageError("damaged PNG: broken signature", hint="copy it again from the source")
    if _TEXT.fullmatch(data[:512]):
        return ImageError("text, not an image", hint="check the file")
    return ImageError("not an image in a format we know", hint=_CONVERT)
