"""Reads pictures: from a file or from bytes, by their content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import FORMATS, SUFFIXES, Notes
from restore_cli.imaging.image import Image
from restore_cli.imaging.metadata import fitting_icc, orient, upright_metadata
from restore_cli.imaging.signatures import identify


def read_image(path: str | Path) -> Image:
    """Read the picture in a file; its content decides the format, never its suffix.

    Raises:
        ImageError: missing, unreadable, damaged, unsupported or too large.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise ImageError("no such file", path=path, hint="check the name") from error
    except IsADirectoryError as error:
        raise ImageError("is a folder", path=path, hint="use restore batch") from error
    except PermissionError as error:
        raise ImageError("no permission to read it", path=path) from error
    except OSError as error:
        raise ImageError(f"cannot read: {error.strerror or error}", path=path) from error
    image = decode_image(data, str(path))
    return image.with_notes(*misnamed(file, image.format))


def misnamed(path: Path, format_name: str) -> Notes:
    """Return a note if a file's suffix names another format than its content."""
    named = FORMATS[SUFFIXES.get(path.suffix.lower(), format_name)]
    row = FORMATS[format_name]
    if named.decode is row.decode:
        return ()
    return (f"the name says {named.title}, the content is {row.title}",)


def decode_image(data: bytes, name: str = "<stdin>") -> Image:
    """Decode a picture and turn it upright; its metadata say so.

    Args:
        data: a whole file.
        name: what messages call it.

    Raises:
        ImageError: empty, damaged, unsupported or too large; ``path`` is ``name``.
    """
    try:
        image = FORMATS[identify(data)].decode(data)
    except MemoryError as error:
        raise ImageError("does not fit into memory", path=name) from error
    except ImageError as error:
        error.path = error.path or name
        raise
    metadata, orientation, notes = upright_metadata(image.metadata)
    icc, icc_notes = fitting_icc(metadata.icc, image.pixels.shape[2])
    if image.format in ("avif", "heic"):  # their boxes have turned them; EXIF is not to be followed
        orientation = 1
    return replace(
        image,
        pixels=orient(image.pixels, orientation),
        alpha=None if image.alpha is None else orient(image.alpha, orientation),
        metadata=replace(metadata, icc=icc),
        notes=(*image.notes, *notes, *icc_notes),
    )
