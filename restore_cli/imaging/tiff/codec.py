"""TIFF through tifffile: 8, 16 bits and float, one page in, one page out."""

from __future__ import annotations

import io
import logging
import math
import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffPage

from restore_cli.errors import ImageError, RestoreError
from restore_cli.imaging.colour import cmyk_to_srgb, lab_to_srgb
from restore_cli.imaging.image import Depth, Image, Metadata, Pixels
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.metadata import sane_dpi
from restore_cli.imaging.pixels import from_float, join_alpha, to_float
from restore_cli.imaging.tiff.compression import check_compression, check_segments
from restore_cli.imaging.tiff.exif import File, add_exif, read_exif

# tifffile reports damage by logging; what matters to the user is raised here instead.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

_COLOURS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.SEPARATED: 4,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.CIELAB: 3,
    PHOTOMETRIC.ICCLAB: 3,
}
_YCBCR_AS_RGB = {6, 7, 33003, 33005, 34712}  # JPEG and JPEG 2000: their decoders convert
_ASSOCIATED_ALPHA = 1
_DNG_VERSION, _SUB_IFDS = 50706, 330
_ICC_TAG, _XMP_TAG = 34675, 700

_STRIP_BYTES = 1 << 20
_BIG_BYTES = 3_500_000_000  # from here on BigTIFF; a classic one ends at 4 GiB


def decode(data: bytes) -> Image:
    """Return the first page, upright as its orientation tag says is left to the caller.

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
    """Return what to raise for anything a TIFF parser tripped over."""
    reason = " ".join(str(error).split())[:120]
    if isinstance(error, _TRIPPED):  # a tag of another type than the parser counted on
        reason = "its tags contradict each other"
    return ImageError(f"damaged TIFF: {reason}", hint="copy it again from the source")


_TRIPPED = (TypeError, LookupError, AttributeError, ArithmeticError, struct.error)


def check_page(page: TiffPage, size: int) -> None:
    """Refuse what would decode to something else than the picture.

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
    if page.photometric not in _COLOURS:
        raise ImageError(f"TIFF with {page.photometric!s} pixels is not supported")
    if page.imagedepth > 1 or page.samplesperpixel > _COLOURS[page.photometric] + 8:
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
    """Say so if there are more pages that are pictures: no thumbnails, no masks."""
    count = 1
    for page in list(file.pages)[1:]:
        kind = getattr(page, "subfiletype", 0)
        count += not kind & 0b101
    return (f"page 1 of {count} used",) if count > 1 else ()


def page_metadata(data: File, page: TiffPage) -> Metadata:
    """Return what the page says beside its pixels, as it says it.

    Args:
        data: the whole file.
        page: of that file.
    """
    icc, xmp = (_tag_bytes(page, tag) for tag in (_ICC_TAG, _XMP_TAG))
    return Metadata(read_exif(data, page), icc, xmp, _dpi(page))


def is_lossless(page: TiffPage) -> bool:
    """Tell whether the page's compression lost nothing."""
    return int(page.compression) not in _YCBCR_AS_RGB


def has_associated_alpha(page: TiffPage) -> bool:
    """Tell whether the page's colour is stored multiplied by its alpha."""
    extra = page.extrasamples
    return bool(extra) and int(extra[0]) == _ASSOCIATED_ALPHA


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


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What stored samples mean."""

    pixels: Pixels  # (h, w, 1 or 3), as in ``Image``
    alpha: Pixels | None
    depth: Depth
    notes: tuple[str, ...]
    keeps_icc: bool  # whether the colour profile still describes the pixels

    def image(self, metadata: Metadata, notes: tuple[str, ...], *, is_lossless: bool) -> Image:
        """Return it as an image."""
        if not self.keeps_icc:
            metadata = replace(metadata, icc=None)
        return Image(
            self.pixels, self.alpha, self.depth, metadata, "tiff", notes, lossless=is_lossless
        )


def as_picture(page: TiffPage, samples: NDArray[Any], icc: bytes | None) -> Picture:
    """Return what a page's samples, or any window of them, mean.

    Args:
        page: says how they are to be understood.
        samples: (h, w, S) as stored.
        icc: the page's colour profile.

    Raises:
        ImageError: samples of a type that is not supported.
    """
    colours = _COLOURS[page.photometric]
    stored, extra = samples[:, :, :colours], samples[:, :, colours:]
    dropped = extra.shape[2] - 1
    notes: tuple[str, ...] = (f"{dropped} extra channels dropped",) if dropped > 0 else ()
    pixels, depth, note, keeps_icc = _colour(page, stored, icc)
    alpha = None
    if extra.shape[2]:
        alpha = np.clip(np.nan_to_num(_scaled(page, extra[:, :, :1])[0]), 0, 1)
        if has_associated_alpha(page):
            pixels = np.divide(pixels, alpha, out=np.zeros_like(pixels), where=alpha > 0)
    return Picture(np.ascontiguousarray(pixels), alpha, depth, (*notes, *note), keeps_icc)


def _channels_last(page: TiffPage, samples: NDArray[Any]) -> NDArray[Any]:
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    if page.samplesperpixel > 1 and page.planarconfig == 2:
        return np.moveaxis(samples.reshape(shape[2], *shape[:2]), 0, 2)
    return samples.reshape(shape)


def _colour(
    page: TiffPage, stored: NDArray[Any], icc: bytes | None
) -> tuple[Pixels, Depth, tuple[str, ...], bool]:
    """Return pixels, depth, notes and whether the profile still describes the pixels."""
    if page.photometric == PHOTOMETRIC.PALETTE:
        colours = np.asarray(page.colormap)  # (3, 2**bits) of 16 bits
        deep = bool((colours % 257).any() and (colours % 256).any())
        return (
            to_float(colours.T[stored[:, :, 0].astype(np.intp)], 65535),
            "uint16" if deep else "uint8",
            (),
            True,
        )
    if page.photometric == PHOTOMETRIC.SEPARATED:
        if stored.dtype == np.int8:  # a wrong sample format tag, seen in the wild
            stored = stored.view(np.uint8)
        if stored.dtype not in (np.uint8, np.uint16):
            raise ImageError(f"CMYK TIFF of type {stored.dtype} is not supported")
        pixels, note = cmyk_to_srgb(stored, icc)
        return pixels, "uint16" if stored.dtype == np.uint16 else "uint8", (note,), False
    if page.photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB):
        pixels, depth = _lab(page, stored)
        return pixels, depth, ("Lab converted to sRGB",), False
    pixels, depth = _scaled(page, stored)
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        pixels = 1 - pixels
    note32 = ("32-bit integers processed as float",) if stored.dtype == np.uint32 else ()
    return pixels, depth, note32, True


def _scaled(page: TiffPage, stored: NDArray[Any]) -> tuple[Pixels, Depth]:
    kind = stored.dtype
    if kind.kind == "f":
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite
            return stored.astype(np.float32), "float32"
    if kind.kind not in "bu" or kind.itemsize > 4:
        raise ImageError(f"TIFF with samples of type {kind} is not supported")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    bits = min(bits, kind.itemsize * 8)
    depth: Depth = "uint8" if bits <= 8 else "uint16" if bits <= 16 else "float32"
    return to_float(stored, (1 << bits) - 1), depth


def _lab(page: TiffPage, stored: NDArray[Any]) -> tuple[Pixels, Depth]:
    """Source: TIFF 6.0, section 23; ICC L*a*b* as in TIFF technical note 4."""
    if stored.dtype == np.int8:
        stored = stored.view(np.uint8)
    if stored.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"Lab TIFF of type {stored.dtype} is not supported")
    wide = stored.dtype == np.uint16
    lightness = stored[:, :, :1].astype(np.float32) * np.float32(100 / (65535 if wide else 255))
    step = 256 if wide else 1
    if page.photometric == PHOTOMETRIC.CIELAB:
        signed = stored[:, :, 1:].astype(stored.dtype.name[1:]).astype(np.float32)
    else:
        signed = stored[:, :, 1:].astype(np.float32) - 128 * step
    lab = np.concatenate([lightness, signed / np.float32(step)], axis=2)
    return lab_to_srgb(lab), "uint16" if wide else "uint8"


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Return a deflated TIFF, BigTIFF from 3.5 GB; ``quality`` has no meaning here."""
    samples = to_samples(image.pixels, image.alpha, depth)
    buffer = io.BytesIO()
    layout = Layout.of(image, depth)
    tifffile.imwrite(buffer, samples, **layout.container, **layout.page_options(image))
    data = buffer.getvalue()
    if image.metadata.exif is None:
        return data, ()
    return add_exif(data, image.metadata.exif)


def to_samples(pixels: Pixels, alpha: Pixels | None, depth: Depth) -> NDArray[Any]:
    """Return what is stored for pixels: (h, w), or (h, w, S) with alpha last."""
    samples = from_float(join_alpha(pixels, alpha), depth)
    return samples[:, :, 0] if samples.shape[2] == 1 else samples


@dataclass(frozen=True, slots=True)
class Layout:
    """How we store an image's samples."""

    shape: tuple[int, ...]  # (H, W), or (H, W, S)
    depth: Depth

    @staticmethod
    def of(image: Image, depth: Depth) -> Layout:
        """Return the layout of an image written in some depth."""
        samples = image.pixels.shape[2] + (image.alpha is not None)
        size = (image.height, image.width)
        return Layout(size if samples == 1 else (*size, samples), depth)

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * np.dtype(self.depth).itemsize

    @property
    def is_big(self) -> bool:
        return self.shape[0] * self.row_bytes > _BIG_BYTES

    @property
    def rows_per_strip(self) -> int:
        return min(self.shape[0], max(1, _STRIP_BYTES // self.row_bytes))

    @property
    def predictor(self) -> int:
        """Return the tag's value: differences of integers, or of a float's bytes."""
        return 3 if self.depth == "float32" else 2

    @property
    def container(self) -> dict[str, Any]:
        """Return the options of ``tifffile.TiffWriter``; Any: one type for each."""
        return {"bigtiff": self.is_big, "byteorder": "<"}

    def page_options(self, image: Image) -> dict[str, Any]:
        """Return the options of ``tifffile.TiffWriter.write``; Any: one type for each."""
        metadata = image.metadata
        extra: list[tuple[int, int, int, Any, bool]] = []
        if metadata.xmp is not None:
            extra.append((_XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
        return {
            "photometric": "minisblack" if image.is_grey else "rgb",
            "planarconfig": None if len(self.shape) == 2 else "contig",
            "extrasamples": None if image.alpha is None else ["unassalpha"],
            "compression": "adobe_deflate",
            "predictor": self.predictor,
            "rowsperstrip": self.rows_per_strip,
            "iccprofile": metadata.icc,
            "resolution": metadata.dpi,
            "resolutionunit": None if metadata.dpi is None else "INCH",
            "metadata": None,
            "software": False,
            "extratags": extra,
        }
