"""Where the bytes of a model are."""

from __future__ import annotations

import os
from pathlib import Path

from restore_cli.errors import WeightsError
from restore_cli.weights import catalog
from restore_cli.weights.header import SUFFIX


def locate(name_or_path: str | Path) -> Path:
    """Return the weights file that a user means.

    A path to a file is taken as it is. A name is looked up among the bundled models, then in the
    cache folder, where imported and downloaded models lie as ``<name>.safetensors``.

    Raises:
        WeightsError: no such file, or no model of that name.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if isinstance(name_or_path, Path) or len(path.parts) > 1 or path.suffix:
        what = "is a folder, not a weights file" if path.is_dir() else "no such weights file"
        raise WeightsError(what, path=path)
    cards = catalog.all_cards()
    card = catalog.match(name_or_path, cards)
    if card is not None:
        return catalog.BUNDLED / f"{card.name}{SUFFIX}"
    cached = cache_dir() / f"{catalog.plain(name_or_path)}{SUFFIX}"
    if cached.is_file():
        return cached
    names = [card.name for card in cards] + [file.stem for file in cached_files()]
    raise catalog.unknown(name_or_path, names)


def cached_files() -> tuple[Path, ...]:
    """Return the weights files in the cache folder, by name."""
    return tuple(sorted(cache_dir().glob(f"*{SUFFIX}")))


def cache_dir() -> Path:
    """Return the folder for imported and downloaded weights; it may not exist yet.

    Source: XDG Base Directory Specification: a relative ``XDG_CACHE_HOME`` is to be ignored.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "restore" / "weights"
