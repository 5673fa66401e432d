"""Writes pictures: fits them into a format, encodes them, and writes the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from restore_cli.atomic import write_atomically
from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.formats import BITS, DEPTHS, FORMATS, Format, Kept, Notes, output_format
from restore_cli.imaging.image import Depth, Image, Metadata
from restore_cli.imaging.metadata import fitting_icc, with_size

_LABELS: dict[Kept, str] = {"exif": "EXIF", "icc": "colour profile", "xmp": "XMP", "dpi": ""}


def encode_image(
    image: Image,
    *,
    format: str,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
    name: str = "",
) -> bytes:
    """Encode an image; see ``encode_with_notes``."""
    return encode_with_notes(
        image, format=format, quality=quality, bit_depth=bit_depth,
        strip_metadata=strip_metadata, name=name,
    )[0]  # fmt: skip


def encode_with_notes(
    image: Image,
    *,
    format: str,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
    name: str = "",
) -> tuple[bytes, Notes]:
    """Encode an image; return the file's bytes, and notes for the user.

    Args:
        image: the picture; values are rounded and clamped to the depth written.
        format: a name in FORMATS or a suffix.
        quality: 1 to 100 for lossy formats; each encoder documents its default.
        bit_depth: 8, 16 or 32 (float); default: the source's, or the most the format holds.
        strip_metadata: write no EXIF, XMP or resolution; the colour profile stays, since
            colours are wrong without it.
        name: the file's name for messages.

    Raises:
        UsageError: a format, depth or quality that does not exist or does not fit.
        ImageError: the encoder refuses the picture.
    """
    row = FORMATS[output_format(image, requested=format)]
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is not between 1 and 100")
    image, depth, notes = fitted(image, row, bit_depth, strip_metadata=strip_metadata)
    if row.encode is None:  # output_format has checked; this tells the type checker
        raise UsageError(f"cannot write format {format!r}")
    try:
        data, more = row.encode(image, depth, quality)
    except ImageError as error:
        error.path = error.path or (name or None)
        raise
    return data, (*notes, *more)


def fitted(
    image: Image, row: Format, bit_depth: int | None, *, strip_metadata: bool
) -> tuple[Image, Depth, Notes]:
    """Fit an image into a format; return it without what the format cannot hold, depth and notes.

    Raises:
        UsageError: the format does not hold so many bits.
    """
    depth, notes = _depth(image, row, bit_depth)
    if image.alpha is not None and not row.alpha:
        image = replace(image, alpha=None)
        notes += (f"alpha dropped: {row.title} cannot hold it",)
    metadata, dropped = _metadata(image, row, strip_metadata)
    return replace(image, metadata=metadata), depth, (*notes, *dropped)


def _depth(image: Image, row: Format, bit_depth: int | None) -> tuple[Depth, Notes]:
    if bit_depth is not None:
        wanted = DEPTHS.get(bit_depth)
        if wanted not in row.depths:
            held = ", ".join(str(BITS[depth]) for depth in row.depths)
            raise UsageError(f"{row.title} cannot hold {bit_depth} bits", hint=f"it holds {held}")
        assert_depth: Depth = DEPTHS[bit_depth]
        return assert_depth, ()
    if image.depth in row.depths:
        return image.depth, ()
    best = row.depths[-1]
    source = "32-bit float" if image.depth == "float32" else "16 bits"
    notes: Notes = (f"{source} reduced to {BITS[best]}: {row.title} holds {BITS[best]}",)
    if image.depth == "float32" and float(image.pixels.max()) > 1:
        notes += (f"values above 1 clipped: {row.title} cannot hold them",)
    return best, notes


def _metadata(image: Image, row: Format, strip: bool) -> tuple[Metadata, Notes]:
    source = image.metadata
    icc, notes = fitting_icc(source.icc, image.pixels.shape[2])
    if strip:
        source, notes = Metadata(), ()
    exif = None if source.exif is None else with_size(source.exif, image.width, image.height)
    values = {"exif": exif, "icc": icc, "xmp": source.xmp, "dpi": source.dpi}
    for kind, label in _LABELS.items():
        if values[kind] is not None and kind not in row.keeps:
            if label:
                notes += (f"{label} dropped: not written into {row.title}",)
            values[kind] = None
    return Metadata(**values), notes  # type: ignore[arg-type]


def write_image(
    path: str | Path,
    image: Image,
    *,
    format: str | None = None,
    quality: int | None = None,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
) -> Notes:
    """Write a file, whole or not at all; return notes for the user.

    Raises:
        UsageError: see ``encode_with_notes``.
        ImageError: the format cannot be written, or there is nowhere to write.
    """
    chosen = output_format(image, path, format)
    data, notes = encode_with_notes(
        image, format=chosen, quality=quality, bit_depth=bit_depth,
        strip_metadata=strip_metadata, name=str(path),
    )  # fmt: skip
    write_atomically(path, data)
    return notes
