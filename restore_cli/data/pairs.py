"""Folders of photos, and folders of degraded photos beside their clean ones."""

from __future__ import annotations

import re
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
    ("blur", "gt"),
    ("degraded", "clean"),
    ("rain", "norain"),
    ("low", "high"),
)
# SIDD keeps both in one folder: 0001_NOISY_SRGB_010.PNG, 0001_GT_SRGB_010.PNG.
PAIR_WORDS = ("_NOISY_", "_GT_")


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
    sets use), without suffix; a scene folder may hold its own pair of folders, as in GoPro, or
    both files of each pair, as in SIDD.

    Raises:
        UsageError: the folder is missing or holds no images.
        ImageError: it has folders for pairs, but no name is in both.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", path=folder, hint="give --data an existing folder")
    pairs: list[Pair] = []
    strays: list[Path] = []
    lonely: list[Path] = []  # strays if there are pairs, else photos with odd names
    for parent in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        for degraded, clean in PAIR_FOLDERS:
            if (parent / degraded).is_dir() and (parent / clean).is_dir():
                found = match(parent / degraded, parent / clean)
                pairs += found.pairs
                strays += found.strays
        found = _in_one_folder(parent)
        pairs += found.pairs
        lonely += found.strays
    if pairs:
        return Listing(pairs=tuple(pairs), strays=(*strays, *lonely))
    if strays:  # half of them are degraded, so these are no sharp photos
        hint = "files pair up by their names, whatever their suffixes"
        raise ImageError("no picture has a partner in the other folder", path=folder, hint=hint)
    photos = tuple(images_below(folder))
    if not photos:
        raise UsageError("no images in this folder", path=folder)
    return Listing(photos=photos)


def match(degraded: Path, clean: Path) -> Listing:
    """Pair the images of two folders by their path without suffix, and list the strays.

    Files that are left over pair up without their folder's name before their own, as in RealBlur
    (``blur/blur_1.png``, ``gt/gt_1.png``) and Rain100 (``rain/rain-001.png``).
    """
    left = {path.relative_to(degraded).with_suffix(""): path for path in images_below(degraded)}
    right = {path.relative_to(clean).with_suffix(""): path for path in images_below(clean)}
    found = {name: Pair(left.pop(name), right.pop(name)) for name in left.keys() & right.keys()}
    bare_left = {_without_prefix(name, degraded.name): name for name in left}
    bare_right = {_without_prefix(name, clean.name): name for name in right}
    for bare in bare_left.keys() & bare_right.keys():
        name = bare_left[bare]
        found[name] = Pair(left.pop(name), right.pop(bare_right[bare]))
    pairs = tuple(found[name] for name in sorted(found))
    return Listing(pairs=pairs, strays=tuple(sorted([*left.values(), *right.values()])))


def images_below(folder: Path) -> Iterable[Path]:
    """Return the image files in a folder and below, in name order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_image(path))


def _without_prefix(name: Path, folder: str) -> Path:
    return name.with_name(re.sub(f"^{re.escape(folder)}[-_]", "", name.name))


def _in_one_folder(folder: Path) -> Listing:
    degraded, clean = PAIR_WORDS
    noisy = sorted(path for path in folder.glob(f"*{degraded}*") if is_image(path))
    both = [Pair(path, path.with_name(path.name.replace(degraded, clean))) for path in noisy]
    return Listing(
        pairs=tuple(pair for pair in both if pair.clean.is_file()),
        strays=tuple(pair.degraded for pair in both if not pair.clean.is_file()),
    )
