"""Reads and writes TIFF by tifffile: 8 bits, 16 bits and float, one page."""

from __future__ import annotations

import io
import logging
import struct
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffPage

from restore_cli.errors import ImageError, RestoreError
from restore_cli.imaging.image import Depth, Image, Metadata
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.metadata import sane_dpi
from restore_cli.imaging.tiff.compression import check_compression, check_segments
from restore_cli.imaging.tiff.exif import File, add_exif, read_exif
from restore_cli.imaging.tiff.layout import XMP_TAG, Layout, to_samples
from restore_cli.imaging.tiff.samples import COLOURS, as_picture

# tifffile reports damage by logging; what matters to the user is raised here instead.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

_YCBCR_AS_RGB = {6, 7, 33003, 33005, 34712}  # JPEG and JPEG 2000: their decoders convert
_DNG_VERSION, _SUB_IFDS = 50706, 330
_ICC_TAG = 34675


def decode(data: bytes) -> Image:
    """Decode the first page; the caller turns it upright.

    Raises:
        ImageError: damaged, truncated, raw sensor data, a kind that is not supported, or
            over the size limit.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            check_size(page.imagewidth, page.imagelength)
            check_page(page, len(data))
            check_segments(data, page)
            samples = _channels_last(page, page.asarray())
            metadata = page_metadata(data, page)
            picture = as_picture(page, samples, metadata.icc)
            notes = (*page_notes(file), *picture.notes)
            return picture.image(metadata, notes, is_lossless=is_lossless(page))
    except (RestoreError, MemoryError):
        raise
    except Exception as error:  # a parser trips over damage in any way there is
        raise damaged(error) from error


def damaged(error: Exception) -> ImageError:
    """Return the error to raise for whatever a TIFF parser raised."""
    reason = " ".join(str(error).split())[:120]
    if isinstance(error, _TRIPPED):  # a tag of another type than the parser counted on
        reason = "its tags contradict each other"
    return ImageError(f"damaged TIFF: {reason}", hint="copy it again from the source")


_TRIPPED = (TypeError, LookupError, AttributeError, ArithmeticError, struct.error)


def check_page(page: TiffPage, size: int) -> None:
    """Refuse pages that would not decode to the picture.

    Args:
        page: to be decoded.
        size: of the file in bytes.

    Raises:
        ImageError: raw sensor data, not a photograph, truncated, or compressed in a way that is
            not supported.
    """
    if _DNG_VERSION in page.tags or page.photometric in (PHOTOMETRIC.CFA, 34892):
        raise ImageError(
            "raw sensor data (DNG, Bayer pattern) is not supported",
            hint="develop it in a raw converter and export TIFF",
        )
    if page.is_reduced and _SUB_IFDS in page.tags:
        raise ImageError(
            "a camera's raw file: its first picture is only a preview",
            hint="develop it in a raw converter and export TIFF",
        )
    check_compression(page)
    if page.photometric not in COLOURS:
        raise ImageError(f"TIFF with {page.photometric!s} pixels is not supported")
    if page.imagedepth > 1 or page.samplesperpixel > COLOURS[page.photometric] + 8:
        raise ImageError(f"TIFF with {page.samplesperpixel} channels is not a photograph")
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression not in _YCBCR_AS_RGB:
        raise ImageError("TIFF with YCbCr pixels outside JPEG is not supported")
    ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > size:
        raise ImageError(
            "truncated TIFF: the file ends before the picture does",
            hint="copy it again from the source",
        )


def page_notes(file: tifffile.TiffFile) -> tuple[str, ...]:
    """Return a note if there are more pages that are pictures, not thumbnails or masks."""
    count = 1
    for page in list(file.pages)[1:]:
        kind = getattr(page, "subfiletype", 0)
        count += not kind & 0b101
    return (f"page 1 of {count} used",) if count > 1 else ()


def page_metadata(data: File, page: TiffPage) -> Metadata:
    """Return the metadata of a page, unchanged.

    Args:
        data: the whole file.
        page: of that file.
    """
    icc, xmp = (_tag_bytes(page, tag) for tag in (_ICC_TAG, XMP_TAG))
    return Metadata(read_exif(data, page), icc, xmp, _dpi(page))


def is_lossless(page: TiffPage) -> bool:
    """Return whether the page is compressed without loss."""
    return int(page.compression) not in _YCBCR_AS_RGB


def _tag_bytes(page: TiffPage, tag: int) -> bytes | None:
    found = page.tags.get(tag)
    return found.value if found is not None and isinstance(found.value, bytes) else None


def _dpi(page: TiffPage) -> tuple[float, float] | None:
    unit = page.tags.valueof(296, 2)
    values = [page.tags.valueof(tag) for tag in (282, 283)]
    if unit not in (2, 3) or not all(isinstance(v, tuple) and len(v) == 2 and v[1] for v in values):
        return None
    x, y = (numerator / denominator for numerator, denominator in values)
    return sane_dpi(x, y, 2.54 if unit == 3 else 1.0)


def _channels_last(page: TiffPage, samples: NDArray[Any]) -> NDArray[Any]:
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    if page.samplesperpixel > 1 and page.planarconfig == 2:
        return np.moveaxis(samples.reshape(shape[2], *shape[:2]), 0, 2)
    return samples.reshape(shape)


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Encode a deflated TIFF, BigTIFF from 3.5 GB; ``quality`` has no meaning here."""
    samples = to_samples(image.pixels, image.alpha, depth)
    buffer = io.BytesIO()
    layout = Layout.of(image, depth)
    tifffile.imwrite(buffer, samples, **layout.container, **layout.page_options(image))
    data = buffer.getvalue()
    if image.metadata.exif is None:
        return data, ()
    return add_exif(data, image.metadata.exif)
