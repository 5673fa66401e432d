"""TIFF through tifffile: 8, 16 bits and float, one page in, one page out."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffPage

from restore_cli.errors import ImageError
from restore_cli.imaging.colour import cmyk_to_srgb, lab_to_srgb
from restore_cli.imaging.image import Depth, Image, Metadata, Pixels
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.metadata import sane_dpi
from restore_cli.imaging.pixels import from_float, join_alpha, to_float
from restore_cli.imaging.tiff_exif import add_exif, read_exif

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


def decode(data: bytes) -> Image:
    """Return the first page, upright as its orientation tag says is left to the caller.

    Raises:
        ImageError: damaged, truncated, raw sensor data, a kind that is not supported, or
            over the size limit.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            _check(page, len(data))
            samples = page.asarray()
            pages = _full_pages(file)
            metadata = _metadata(data, page)
            return _image(page, samples, metadata, pages)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # a parser trips over damage in any way there is
        reason = " ".join(str(error).split())[:120]
        raise ImageError(f"damaged TIFF: {reason}", hint="copy it again from the source") from error


def _check(page: TiffPage, size: int) -> None:
    """Refuse what would decode to something else than the picture."""
    check_size(page.imagewidth, page.imagelength)
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


def _full_pages(file: tifffile.TiffFile) -> int:
    """Count pages that are pictures: no thumbnails, no masks."""
    count = 1
    for page in list(file.pages)[1:]:
        kind = getattr(page, "subfiletype", 0)
        count += not kind & 0b101
    return count


def _metadata(data: bytes, page: TiffPage) -> Metadata:
    icc, xmp = (_tag_bytes(page, tag) for tag in (_ICC_TAG, _XMP_TAG))
    return Metadata(read_exif(data, page), icc, xmp, _dpi(page))


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


def _image(page: TiffPage, samples: NDArray[Any], metadata: Metadata, pages: int) -> Image:
    samples = _channels_last(page, samples)
    colours = _COLOURS[page.photometric]
    stored, extra = samples[:, :, :colours], samples[:, :, colours:]
    notes: tuple[str, ...] = (f"page 1 of {pages} used",) if pages > 1 else ()
    if extra.shape[2] > 1:
        notes += (f"{extra.shape[2] - 1} extra channels dropped",)
    pixels, depth, note, keeps_icc = _colour(page, stored, metadata.icc)
    alpha = None
    if extra.shape[2]:
        alpha = np.clip(np.nan_to_num(_scaled(page, extra[:, :, :1])[0]), 0, 1)
        if page.extrasamples and int(page.extrasamples[0]) == _ASSOCIATED_ALPHA:
            pixels = np.divide(pixels, alpha, out=np.zeros_like(pixels), where=alpha > 0)
    if not keeps_icc:
        metadata = Metadata(metadata.exif, None, metadata.xmp, metadata.dpi)
    return Image(
        np.ascontiguousarray(pixels),
        alpha,
        depth,
        metadata,
        "tiff",
        (*notes, *note),
        lossless=int(page.compression) not in _YCBCR_AS_RGB,
    )


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
    samples = from_float(join_alpha(image.pixels, image.alpha), depth)
    if samples.shape[2] == 1:
        samples = samples[:, :, 0]
    metadata = image.metadata
    extra: list[tuple[int, int, int, Any, bool]] = []
    if metadata.xmp is not None:
        extra.append((_XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
    buffer = io.BytesIO()
    is_big = samples.nbytes > 3_500_000_000
    tifffile.imwrite(
        buffer,
        samples,
        bigtiff=is_big,
        byteorder="<",
        photometric="minisblack" if image.is_grey else "rgb",
        planarconfig=None if samples.ndim == 2 else "contig",
        extrasamples=None if image.alpha is None else ["unassalpha"],
        compression="adobe_deflate",
        predictor=3 if depth == "float32" else 2,
        rowsperstrip=max(1, (1 << 20) // max(1, samples[0].nbytes)),
        iccprofile=metadata.icc,
        resolution=metadata.dpi,
        resolutionunit=None if metadata.dpi is None else "INCH",
        metadata=None,
        software=False,
        extratags=extra,
    )
    data = buffer.getvalue()
    if metadata.exif is None:
        return data, ()
    if is_big:
        return data, ("EXIF dropped: not written into a BigTIFF",)
    return add_exif(data, metadata.exif)
