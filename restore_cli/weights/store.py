"""Where the bytes of a model are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from restore_cli.errors import WeightsError
from restore_cli.weights import catalog
from restore_cli.weights.header import SUFFIX


def locate(name_or_path: str | Path, task: str = "") -> Path:
    """Return the weights file that a user means.

    A path to a file is taken as it is. A name is looked up among the bundled models, then in the
    cache folder, where imported and downloaded models lie as ``<name>.safetensors``. Whole names
    go before shortened ones, which only bundled models have; of several that a shortened name fits,
    those for ``task`` go first.

    Raises:
        WeightsError: no such file, or no model of that name.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if isinstance(name_or_path, Path) or len(path.parts) > 1 or path.suffix:
        what = "is a folder, not a weights file" if path.is_dir() else "no such weights file"
        raise WeightsError(what, path=path)
    cards = tuple(sorted(catalog.all_cards(), key=lambda card: card.task != task))
    card = catalog.match(name_or_path, cards)
    cached = cached_file(name_or_path)
    if cached.is_file() and (card is None or card.name != cached.stem):
        return cached
    if card is not None:
        return catalog.BUNDLED / f"{card.name}{SUFFIX}"
    names = [card.name for card in cards] + [file.stem for file in cached_files()]
    raise catalog.unknown(name_or_path, names)


def cached_files() -> tuple[Path, ...]:
    """Return the weights files in the cache folder, by name."""
    return tuple(sorted(cache_dir().glob(f"*{SUFFIX}")))


def downloaded_files() -> tuple[Path, ...]:
    """Return what was downloaded but is none of our files; hidden ones broke off on their way."""
    return tuple(sorted(path for path in downloads_dir().glob("*") if path.is_file()))


def cached_file(name: str) -> Path:
    """Return where a model of that name lies in the cache folder, if it is there."""
    return cache_dir() / f"{catalog.plain(name)}{SUFFIX}"


def downloads_dir() -> Path:
    """Return the folder for what was downloaded but is none of our files; it may not exist yet."""
    return cache_dir() / "downloads"


def cache_dir() -> Path:
    """Return the folder for imported and downloaded weights; it may not exist yet.

    Source: XDG Base Directory Specification: a relative ``XDG_CACHE_HOME`` is to be ignored.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "restore" / "weights"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a whole file, as ``sha256sum`` prints it.

    Raises:
        WeightsError: unreadable.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error


def make_folder(folder: Path) -> None:
    """Make a folder for weights, unless it is there.

    Raises:
        WeightsError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"cannot be made: {error.strerror}", path=folder) from error
