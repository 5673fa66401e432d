"""Turns the stored samples of a TIFF page into pixels: colour, depth, alpha."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffPage

from restore_cli.errors import ImageError
from restore_cli.imaging.colour import cmyk_to_srgb, lab_to_srgb
from restore_cli.imaging.image import Depth, Image, Metadata, Pixels
from restore_cli.imaging.pixels import to_float

COLOURS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.SEPARATED: 4,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.CIELAB: 3,
    PHOTOMETRIC.ICCLAB: 3,
}


_ASSOCIATED_ALPHA = 1


def has_associated_alpha(page: TiffPage) -> bool:
    """Return whether the page's colour is stored multiplied by its alpha."""
    extra = page.extrasamples
    return bool(extra) and int(extra[0]) == _ASSOCIATED_ALPHA


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels, alpha and depth that stored samples stand for."""

    pixels: Pixels  # (h, w, 1 or 3), as in ``Image``
    alpha: Pixels | None
    depth: Depth
    notes: tuple[str, ...]
    keeps_icc: bool  # whether the colour profile still describes the pixels

    def image(self, metadata: Metadata, notes: tuple[str, ...], *, is_lossless: bool) -> Image:
        """Return the picture as an image."""
        if not self.keeps_icc:
            metadata = replace(metadata, icc=None)
        return Image(
            self.pixels, self.alpha, self.depth, metadata, "tiff", notes, lossless=is_lossless
        )


def as_picture(page: TiffPage, samples: NDArray[Any], icc: bytes | None) -> Picture:
    """Turn a page's samples, or a window of them, into pixels.

    Args:
        page: says how they are to be understood.
        samples: (h, w, S) as stored.
        icc: the page's colour profile.

    Raises:
        ImageError: samples of a type that is not supported.
    """
    colours = COLOURS[page.photometric]
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
