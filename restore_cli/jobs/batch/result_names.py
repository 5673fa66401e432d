"""Names the result of each input, and refuses names that collide, before any work is done."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.formats import FORMATS, SUFFIXES
from restore_cli.imaging.listing import suffix_of
from restore_cli.imaging.signatures import identify
from restore_cli.imaging.video.formats import video_suffix
from restore_cli.jobs.batch.inputs import Found
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Results, Storage, scheme_of
from restore_cli.jobs.batch.storage.opening import storage_for

_HEAD = 512  # bytes that tell a format


def default_results(paths: Sequence[str], task: str) -> str:
    """Return the folder for the results of one folder: ``<folder>_<task>`` beside it.

    Raises:
        UsageError: other inputs than one folder, whose place nobody can guess.
    """
    hint = "name a folder for the results with -o"
    if len(paths) != 1:
        raise UsageError("several inputs and no place for the results", hint=hint)
    path = paths[0]
    if storage_for(path).kind(path) != "folder":
        raise UsageError("not one folder, and no place for the results", path=path, hint=hint)
    if scheme_of(path) is not None:
        path = path.rstrip("/")
    elif os.path.basename(os.path.normpath(path)) in {"", os.curdir, os.pardir}:  # noqa: PTH119
        path = os.path.realpath(path)
    else:
        path = os.path.normpath(path)
    if path == os.path.dirname(path) or path.endswith(":"):  # noqa: PTH120
        raise UsageError("nothing lies beside this folder", path=path, hint=hint)
    return f"{path}_{task}"


def plan_items(files: Iterable[Found], format_name: str | None) -> list[Item]:
    """Name the result of each file: its stem, with the suffix of its format."""
    return [Item(file.source, file.relative, result_name(file, format_name)) for file in files]


def result_name(file: Found, format_name: str | None) -> str:
    """Return the name of a file's result in the folder of results.

    Args:
        file: the input.
        format_name: of the result, if it is no video; None: the input's own, or what stands in
            for it where that is only read.
    """
    name = PurePosixPath(file.relative)
    if video := video_suffix(name.name):
        return str(name.with_suffix(video))
    if format_name is not None:
        suffix = suffix_of(format_name)
        known = name.suffix.lower() in SUFFIXES
        return str(name.with_suffix(suffix) if known else name.with_name(name.name + suffix))
    row = FORMATS.get(SUFFIXES.get(name.suffix.lower(), ""))
    if row is not None:
        suffix = name.suffix if row.encode else suffix_of(row.substitute)
        return str(name.with_suffix(suffix))
    return str(name.with_name(name.name + _suffix_of_content(file.source)))


def _suffix_of_content(source: str) -> str:
    """Return the suffix that a file's content asks for; errors are reported later."""
    try:
        name = identify(storage_for(source).head(source, _HEAD))
    except ImageError:
        return ".png"
    row = FORMATS[name]
    return suffix_of(name if row.encode else row.substitute)


def check_items(items: Sequence[Item], results: Results) -> None:
    """Refuse results that collide with each other or replace an input.

    Raises:
        UsageError: they do; nothing has been done then.
    """
    taken: dict[str, Item] = {}
    sources = {_identity(item.source): item.source for item in items}
    for item in items:
        other = taken.setdefault(item.output, item)
        if other is not item:
            both = f"{other.source} and {item.source}"
            hint = "leave one out with --exclude, or restore them into different folders"
            raise UsageError(f"{both} would both become {item.output}", hint=hint)
        source = sources.get(results.identity(item.output))
        if source is not None:
            hint = "choose another folder with -o"
            raise UsageError("a result would replace this input", path=source, hint=hint)


def check_folders(paths: Sequence[str], results: Results) -> None:
    """Refuse a folder of results that is one of the inputs.

    Raises:
        UsageError: it is one.
    """
    for path in paths:
        if _identity(path) == results.identity("."):
            hint = "choose another folder with -o"
            raise UsageError("the results cannot go where the inputs are", path=path, hint=hint)


def shard_of(items: Sequence[Item], shard: tuple[int, int]) -> list[Item]:
    """Return the K-th of N parts; a file's part depends on its name only."""
    part, parts = shard
    if parts == 1:
        return list(items)
    return [item for item in items if _number(item.relative) % parts == part - 1]


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big")


def _identity(path: str) -> str:
    storage: Storage = storage_for(path)
    return storage.identity(path)
