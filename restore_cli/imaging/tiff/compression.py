"""Checks the compression of a TIFF page, and the sizes that its segments unpack to.

Some carry pictures with headers of their own. Decoders trust those and not the page, so that a
strip of a small page may unpack to gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable

from tifffile import TiffPage

from restore_cli.errors import ImageError
from restore_cli.imaging.jpeg import segments as jpeg_segments
from restore_cli.imaging.jpeg2000.header import read_jpeg2000
from restore_cli.imaging.limits import max_pixels
from restore_cli.imaging.tiff.exif import File
from restore_cli.imaging.webp.header import read_webp

Size = tuple[int, int]

# Decoded to as many bytes as the page says: raw, fax, LZW, deflate, PackBits, LZMA, Zstandard.
_BY_THE_PAGE = {1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 34926, 50000}
JPEG = {6, 7, 33007, 34892}  # may have tables that all segments share
_JPEG2000 = {33003, 33004, 33005, 34712}
_WEBP = {34927, 50001}

_SPARE_PIXELS = 1 << 16  # what a segment may have more than twice the page's pixels


def check_compression(page: TiffPage) -> None:
    """Refuse pages that are not decoded safely, or have strips or tiles of absurd sizes.

    Raises:
        ImageError: they are not.
    """
    if int(page.compression) not in _BY_THE_PAGE | JPEG | _JPEG2000 | _WEBP:
        name = getattr(page.compression, "name", page.compression)
        hint = "save it with LZW or deflate"
        raise ImageError(f"TIFF compressed by {name} is not supported", hint=hint)
    if page.is_tiled and page.tilewidth * page.tilelength * page.tiledepth > max_pixels():
        size = f"{page.tilewidth}×{page.tilelength}"
        raise ImageError(f"claims to have tiles of {size} pixels", hint="the file is damaged")


def check_segments(data: File, page: TiffPage) -> None:
    """Refuse a page with a segment that claims to be larger than the page; see ``check_segment``.

    Args:
        data: the whole file.
        page: of that file.

    Raises:
        ImageError: one does.
    """
    if int(page.compression) in _BY_THE_PAGE:
        return
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        check_segment(data[offset : offset + count], page)


def check_segment(segment: bytes, page: TiffPage) -> None:
    """Refuse a stored strip or tile that claims to be larger than the page.

    Raises:
        ImageError: it does.
    """
    code = int(page.compression)
    claimed: Callable[[bytes], Size] | None = None
    if code in JPEG:
        claimed = jpeg_segments.claimed_size
    elif code in _JPEG2000:
        claimed = _jpeg2000_size
    elif code in _WEBP:
        claimed = _webp_size
    if claimed is None or not segment:
        return
    sizes = [claimed(segment)]
    if code in JPEG and page.jpegtables:
        sizes.append(claimed(page.jpegtables))
    of_segment = page.tilewidth * page.tilelength if page.is_tiled else 0
    most = 2 * max(of_segment, page.imagewidth * page.imagelength) + _SPARE_PIXELS
    for width, height in sizes:
        if width * height > most:
            what = f"damaged TIFF: a strip or tile claims to be {width}×{height} pixels"
            raise ImageError(what, hint="copy it again from the source")


def _jpeg2000_size(segment: bytes) -> Size:
    info = read_jpeg2000(segment)
    return info.width, info.height


def _webp_size(segment: bytes) -> Size:
    info = read_webp(segment)
    return info.width, info.height
