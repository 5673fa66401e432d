"""Tells which files are images, and names their restored versions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import FORMATS, SUFFIXES


def is_image(path: str | Path) -> bool:
    """Return whether a file has a readable suffix; hidden files are no images."""
    file = Path(path)
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def expand_inputs(paths: Iterable[str | Path], *, recursive: bool = True) -> list[Path]:
    """Return files as named and the images inside folders, sorted, each once.

    A file named on the command line is taken whatever its suffix. Hidden folders and links
    to folders are not entered.

    Raises:
        ImageError: a path does not exist, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = _images_in(path, recursive=recursive)
            if not inside:
                raise ImageError("no images in this folder", path=path)
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise ImageError("no such file", path=path, hint="check the name")
    return list(found)


def _images_in(folder: Path, *, recursive: bool) -> list[Path]:
    images: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if recursive and not entry.name.startswith(".") and not entry.is_symlink():
                images += _images_in(entry, recursive=True)
        elif is_image(entry):
            images.append(entry)
    return images


def derived_name(path: str | Path, task: str, suffix: str | None = None) -> Path:
    """Return ``<stem>_<task><suffix>`` beside ``path``.

    Args:
        path: the input.
        task: "deblur", "denoise", …
        suffix: with its dot; default: the input's own, as it is spelled, or that of the
            substitute where its format is only read.
    """
    file = Path(path)
    if suffix is None:
        suffix = file.suffix
        row = FORMATS.get(SUFFIXES.get(suffix.lower(), ""))
        if row is not None and row.encode is None:
            suffix = FORMATS[row.substitute].suffixes[0]
    return file.with_name(f"{file.stem}_{task}{suffix}")


def suffix_of(format_name: str) -> str:
    """Return the usual suffix, with its dot, of a format in ``formats.FORMATS``."""
    return FORMATS[format_name].suffixes[0]
