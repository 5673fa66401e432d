"""Keeps EXIF, ICC, XMP and resolution, and corrects them where the pixels changed."""

from __future__ import annotations

import re
import struct
from dataclasses import replace

import numpy as np

from restore_cli.imaging import exif as exif_block
from restore_cli.imaging.exif import ExifError
from restore_cli.imaging.image import Metadata, Pixels

BROKEN_EXIF = "damaged EXIF dropped"

_EXIF_PREFIX = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")
_ICC_SPACES = {b"RGB ": 3, b"GRAY": 1}


def orient(pixels: Pixels, orientation: int) -> Pixels:
    """Turn pixels upright.

    Args:
        pixels: (H, W, C).
        orientation: EXIF value 1 to 8: where the stored first row and column are in the scene.
    """
    if orientation >= 5:  # rows and columns are exchanged
        pixels = pixels.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    turned = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    # Along a side of one pixel, ascontiguousarray keeps a negative stride, which torch refuses.
    return turned.copy() if flip_rows or flip_columns else np.ascontiguousarray(turned)


def exif_orientation(exif: bytes | None) -> int:
    """Return the EXIF orientation, 1 to 8; 1 without a usable value."""
    if exif is None:
        return 1
    try:
        value = exif_block.integer(exif, exif_block.first_directory(exif), exif_block.ORIENTATION)
    except ExifError:
        return 1
    return value if value is not None and 1 <= value <= 8 else 1


def exif_dpi(exif: bytes | None) -> tuple[float, float] | None:
    """Return the resolution in dots per inch; None if it is missing or nonsense."""
    if exif is None:
        return None
    try:
        main = exif_block.first_directory(exif)
    except ExifError:
        return None
    x = exif_block.rational(exif, main, exif_block.X_RESOLUTION)
    y = exif_block.rational(exif, main, exif_block.Y_RESOLUTION)
    unit = exif_block.integer(exif, main, exif_block.RESOLUTION_UNIT) or 2
    return sane_dpi(x, y, 2.54 if unit == 3 else 1.0) if unit in (2, 3) else None


def sane_dpi(x: float | None, y: float | None, scale: float = 1.0) -> tuple[float, float] | None:
    """Return both numbers times ``scale``; None unless both are plausible resolutions."""
    if x is None or y is None or not (1 <= x * scale <= 1e5 and 1 <= y * scale <= 1e5):
        return None
    return x * scale, y * scale


def upright_metadata(metadata: Metadata) -> tuple[Metadata, int, tuple[str, ...]]:
    """Return metadata that fits upright pixels, the orientation to apply to them, and notes.

    The orientation tag becomes 1 (in EXIF and XMP), the thumbnail is removed because it
    shows the old picture, and a block that does not parse is dropped with a note.
    """
    exif = metadata.exif
    notes: tuple[str, ...] = ()
    if exif is not None and exif.startswith(_EXIF_PREFIX):
        exif = exif[len(_EXIF_PREFIX) :]
    orientation = exif_orientation(exif)
    cleaned = None if exif is None else _upright_exif(exif)
    if exif and cleaned is None:
        notes = (BROKEN_EXIF,)
    xmp = metadata.xmp
    if xmp is not None:
        xmp = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    dpi = metadata.dpi or exif_dpi(cleaned)
    if dpi is not None and orientation >= 5:
        dpi = (dpi[1], dpi[0])
    return replace(metadata, exif=cleaned, xmp=xmp, dpi=dpi), orientation, notes


def _upright_exif(exif: bytes) -> bytes | None:
    try:
        main = exif_block.first_directory(exif)
    except ExifError:
        return None
    block = bytearray(exif)
    exif_block.set_integer(block, main, exif_block.ORIENTATION, 1)
    if main.next:
        _remove_thumbnail(block, exif)
        struct.pack_into(exif_block.byte_order(exif) + "I", block, main.next_at, 0)
    return bytes(block)


def _remove_thumbnail(block: bytearray, exif: bytes) -> None:
    """Cut IFD1 and its picture off the end, or blank the picture where it is not the end.

    Everything else keeps its offset: maker notes point into the block.
    """
    used = 0
    for directory in exif_block.directories(exif):
        ends = [entry.at + len(entry.value) for entry in directory.entries.values()]
        used = max(used, directory.next_at + 4, *ends)
    try:
        thumbnail = exif_block.read_directory(exif, exif_block.first_directory(exif).next)
    except ExifError:
        return
    start = exif_block.integer(exif, thumbnail, exif_block.THUMBNAIL_OFFSET)
    length = exif_block.integer(exif, thumbnail, exif_block.THUMBNAIL_LENGTH) or 0
    if thumbnail.at >= used and (start is None or start >= used):
        del block[used:]
    elif start is not None:
        end = min(start + length, len(block))
        block[start:end] = bytes(max(end - start, 0))


def with_size(exif: bytes, width: int, height: int) -> bytes:
    """Return the EXIF block with its pixel dimensions, where it has any, set to these."""
    try:
        main = exif_block.first_directory(exif)
        sub = exif_block.sub_directory(exif, main, exif_block.EXIF_IFD)
    except ExifError:
        return exif
    if sub is None:
        return exif
    block = bytearray(exif)
    exif_block.set_integer(block, sub, exif_block.PIXEL_WIDTH, width)
    exif_block.set_integer(block, sub, exif_block.PIXEL_HEIGHT, height)
    return bytes(block)


def icc_channels(icc: bytes) -> int:
    """Return how many channels a profile is for: 1 or 3; 0 for any other kind."""
    return _ICC_SPACES.get(icc[16:20], 0) if len(icc) >= 132 and icc[36:40] == b"acsp" else 0


def fitting_icc(icc: bytes | None, channels: int) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the profile if it describes so many channels; else None and a note."""
    if not icc or icc_channels(icc) == channels:
        return icc or None, ()
    return None, ("colour profile dropped: it does not fit these pixels",)
