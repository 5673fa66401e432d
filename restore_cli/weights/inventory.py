"""Which weights are on this machine, and whether they are what they say; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from restore_cli.errors import WeightsError
from restore_cli.weights import catalog, store
from restore_cli.weights.header import SUFFIX, card_of, content_sha256, parse_header, read_card

Place = Literal["bundled", "cached", "downloaded", "partial", "damaged"]


@dataclass(frozen=True, slots=True)
class Held:
    """A file on this machine."""

    name: str
    place: Place  # "downloaded" is to be imported first, "partial" broke off on its way
    size_bytes: int
    licence: str  # "" where no card says
    path: Path


def held_files() -> tuple[Held, ...]:
    """Return every weights file in the package and the cache folder, damaged ones too."""
    return (
        *(_held(path, "bundled") for path in sorted(catalog.BUNDLED.glob(f"*{SUFFIX}"))),
        *(_held(path, "cached") for path in store.cached_files()),
        *(_foreign(path) for path in store.downloaded_files()),
    )


def verify(path: Path) -> str:
    """Return the SHA-256 of the tensors in one of our files, which is what its card says.

    Raises:
        WeightsError: unreadable, none of ours, truncated, or with other tensors than its card says.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error
    header = parse_header(BytesIO(data), len(data), path)
    expected = card_of(header, path).sha256
    actual = content_sha256(data, header)
    if actual != expected:
        what = f"has the wrong checksum: {actual[:12]}…, its card says {expected[:12]}…"
        raise WeightsError(what, path=path, hint="the file is damaged; get it again")
    return actual


def _held(path: Path, place: Place) -> Held:
    try:
        licence = read_card(path).licence
    except WeightsError:
        place, licence = "damaged", ""
    return Held(path.stem, place, path.stat().st_size, licence, path)


def _foreign(path: Path) -> Held:
    is_partial = path.name.startswith(".")
    name = path.name[1:].rsplit(".", 2)[0] if is_partial else path.name
    return Held(name, "partial" if is_partial else "downloaded", path.stat().st_size, "", path)
