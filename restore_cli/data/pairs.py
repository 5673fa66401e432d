"""Folders of photos, and folders of degraded photos beside their clean ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.listing import is_image

# Published layouts name their folders differently; a pair of names on one level is a match.
PAIR_FOLDERS = (
    ("input", "target"),
    ("blur", "sharp"),
    ("noisy", "clean"),
    ("degraded", "clean"),
    ("rain", "norain"),
    ("low", "high"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    degraded: Path
    clean: Path


@dataclass(frozen=True, slots=True)
class Listing:
    """What a training folder holds: either pairs, or sharp photos to be degraded.

    ``strays`` are degraded or clean files whose partner is missing.
    """

    pairs: tuple[Pair, ...] = ()
    photos: tuple[Path, ...] = ()
    strays: tuple[Path, ...] = ()


def list_folder(folder: Path) -> Listing:
    """Find the pairs below a folder; where there are none, its images are sharp photos.

    Files pair up by their path below ``input/`` and ``target/`` (or the names that published
    sets use), without suffix; a scene folder may hold its own pair of folders, as in GoPro.

    Raises:
        UsageError: the folder is missing or holds no images.
        ImageError: it has folders for pairs, but no name is in both.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", path=folder, hint="give --data an existing folder")
    pairs: list[Pair] = []
    strays: list[Path] = []
    for parent in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        for degraded, clean in PAIR_FOLDERS:
            if (parent / degraded).is_dir() and (parent / clean).is_dir():
                found = match(parent / degraded, parent / clean)
                pairs += found.pairs
                strays += found.strays
    if pairs:
        return Listing(pairs=tuple(pairs), strays=tuple(strays))
    if strays:  # half of them are degraded, so these are no sharp photos
        hint = "files pair up by their names, whatever their suffixes"
        raise ImageError("no picture has a partner in the other folder", path=folder, hint=hint)
    photos = tuple(images_below(folder))
    if not photos:
        raise UsageError("no images in this folder", path=folder)
    return Listing(photos=photos)


def match(degraded: Path, clean: Path) -> Listing:
    """Pair the images of two folders by their path without suffix, and list the strays."""
    left = {path.relative_to(degraded).with_suffix(""): path for path in images_below(degraded)}
    right = {path.relative_to(clean).with_suffix(""): path for path in images_below(clean)}
    pairs = tuple(Pair(left[name], right[name]) for name in sorted(left.keys() & right.keys()))
    lonely = [left[name] for name in left.keys() - right.keys()]
    lonely += [right[name] for name in right.keys() - left.keys()]
    return Listing(pairs=pairs, strays=tuple(sorted(lonely)))


def images_below(folder: Path) -> Iterable[Path]:
    """Return the image files in a folder and below, in name order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_image(path))
