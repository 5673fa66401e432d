"""Finds the files that a batch restores, and names each by its path in the tree of inputs."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from restore_cli.errors import ImageError, RestoreError, UsageError
from restore_cli.imaging.listing import is_image
from restore_cli.imaging.video.formats import video_format, video_suffix
from restore_cli.imaging.video.library import INSTALL
from restore_cli.jobs.batch.journal import JOURNAL_NAME
from restore_cli.jobs.batch.storage.base import Entry, Storage, scheme_of
from restore_cli.jobs.batch.storage.opening import storage_for

_MAGIC = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Found:
    """One file to restore."""

    source: str  # a path or URL
    relative: str  # its name in the tree of inputs, with "/"


@dataclass(slots=True)
class Inputs:
    """Files that were found, and what could not be read."""

    files: list[Found] = field(default_factory=list)
    failures: list[RestoreError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects files in a tree by patterns; the folder of results is never entered."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    results: str = ""  # the identity of the folder of results

    def takes(self, relative: str) -> bool:
        """Return whether a file of this name is selected."""
        return (not self.include or _matches(relative, self.include)) and self.enters(relative)

    def enters(self, relative: str) -> bool:
        """Return whether a file or folder of this name is not excluded."""
        return not _matches(relative, self.exclude)


def find_inputs(paths: Sequence[str], selection: Selection, base: str | None = None) -> Inputs:
    """Find the files that are named, and all images and videos in folders that are named.

    The files of one folder are named by their path in it, in sorted order. With several arguments,
    the folder's own name comes before. A file that is named itself keeps its path, if that is
    relative and does not go up; else its name only. With ``base``, all are named by their path in
    that folder.

    Args:
        paths: files, folders, patterns such as ``photos/**/*.jpg``, URLs.
        selection: which of them are meant; holds for files named, too.
        base: the folder that names are relative to.

    Raises:
        UsageError: a path lies outside of ``base``, or the package for such URLs is missing.
    """
    found = Inputs()
    seen: set[tuple[str, str]] = set()
    several = len(paths) > 1
    for path in paths:
        storage = storage_for(path)
        for part in _expanded(path, storage, found):
            kind = storage.kind(part)
            if kind == "folder":
                prefix = _folder_prefix(part, storage, several=several, base=base)
                walk = _Walk(storage, selection, found, prefix)
                files = list(walk.images(part))
                for why, count in walk.left_out.items():
                    found.notes.append(f"videos left out of {part}: {count}; {why}")
                if not files and not found.failures:
                    found.notes.append(f"no images in {part}")
            else:
                files = [Found(part, _file_name(part, storage, base))]
                files = [file for file in files if selection.takes(file.relative)]
            for file in files:
                same = (file.relative, storage.identity(file.source))
                if same not in seen:
                    seen.add(same)
                    found.files.append(file)
    return found


def _expanded(path: str, storage: Storage, found: Inputs) -> list[str]:
    """Return the files that a pattern matches; any other path as it is."""
    if storage.kind(path) is not None or not _MAGIC & set(path):
        return [path]
    matched = storage.matches(path)
    if not matched:
        hint = "check the pattern"
        found.failures.append(ImageError("matches no file", path=path, hint=hint))
    # A folder among the matches of ** would bring its files once more; seen ones are taken once,
    # but under which name must not depend on the order.
    return [match for match in matched if storage.kind(match) != "folder"]


@dataclass(slots=True)
class _Walk:
    """Walks through one folder and all below it."""

    storage: Storage
    selection: Selection
    found: Inputs
    prefix: str
    entered: set[str] = field(default_factory=set)
    left_out: dict[str, int] = field(default_factory=dict)  # videos, by the reason

    def images(self, folder: str, inside: str = "") -> Iterator[Found]:
        if not self._enter(folder, is_root=not inside):
            return
        try:
            entries = list(self.storage.entries(folder))
        except ImageError as error:
            self.found.failures.append(error)
            return
        if inside and any(entry.name == JOURNAL_NAME for entry in entries):
            self.found.notes.append(f"{folder} holds results of a batch: left out")
            return
        for entry in entries:
            yield from self._entry(entry, f"{inside}{entry.name}")

    def _entry(self, entry: Entry, relative: str) -> Iterator[Found]:
        if entry.name.startswith(".") or not self.selection.enters(relative):
            return
        if entry.kind == "folder":
            yield from self.images(entry.path, f"{relative}/")
        elif entry.kind == "link to a folder":
            self.found.notes.append(f"{entry.path} links to a folder: not entered")
        elif entry.kind == "file" and self.selection.takes(relative) and self._is_wanted(entry):
            yield Found(entry.path, self.prefix + relative)

    def _is_wanted(self, entry: Entry) -> bool:
        """Return whether a file is an image, or a video that can be restored."""
        if not video_suffix(entry.name):
            return is_image(entry.name)
        why = _why_left_out(entry.name, self.storage)
        if why:
            self.left_out[why] = self.left_out.get(why, 0) + 1
        return not why

    def _enter(self, folder: str, *, is_root: bool) -> bool:
        """Return whether a folder is new, and not the folder of results."""
        identity = self.storage.identity(folder)
        if identity in self.entered or (identity == self.selection.results and not is_root):
            return False
        self.entered.add(identity)
        return True


def _why_left_out(name: str, storage: Storage) -> str:
    """Return why a video is not restored; empty: it is."""
    if not storage.is_local:
        return "only those on a disk are restored"
    is_y4m = video_format(PurePosixPath(name).suffix) == "y4m"
    if not is_y4m and importlib.util.find_spec("av") is None:
        return f"restoring them takes {INSTALL}"
    return ""


def _matches(relative: str, patterns: Collection[str]) -> bool:
    name = relative.rpartition("/")[2]
    return any(
        fnmatch.fnmatchcase(relative, pattern) or fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
    )


def _folder_prefix(folder: str, storage: Storage, *, several: bool, base: str | None) -> str:
    """Return the prefix for the names of a folder's files."""
    if base is not None:
        inside = _inside(folder, base, storage)
        return f"{inside}/" if inside else ""
    if not several:
        return ""
    name = PurePosixPath(storage.identity(folder).rstrip("/").replace(os.sep, "/")).name
    return f"{name}/" if name else ""


def _file_name(path: str, storage: Storage, base: str | None) -> str:
    if base is not None:
        inside = _inside(path, base, storage)
        if inside:
            return inside
    if scheme_of(path) is not None:
        return path.rstrip("/").rpartition("/")[2]
    plain = PurePosixPath(path.replace(os.sep, "/"))
    if plain.is_absolute() or ".." in plain.parts or os.path.splitdrive(path)[0]:
        return plain.name
    return str(plain)


def _inside(path: str, base: str, storage: Storage) -> str:
    """Return the path relative to ``base``, whatever links lead to ``base``."""
    if scheme_of(path) is not None:
        whole, start = path.rstrip("/"), base.rstrip("/")
    else:
        parent, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
        whole = os.path.join(os.path.realpath(parent), name)  # noqa: PTH118
        start = os.path.realpath(base)
    if storage.identity(path) == start or whole == start:
        return ""
    if not whole.startswith(start.rstrip("/") + "/"):
        raise UsageError(f"lies outside of --base {base}", path=path)
    return whole[len(start.rstrip("/")) + 1 :].replace(os.sep, "/")


def read_list() -> bytes:
    """Return all of standard input; nothing if it is closed.

    Raises:
        UsageError: it is a terminal.
    """
    if sys.stdin is None:
        return b""
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="pipe a list of paths in")
    return sys.stdin.buffer.read()


def names_in(data: bytes, *, nul: bool) -> list[str]:
    """Return the paths in a list: one on each line, or with ``nul`` separated by NUL bytes.

    Bytes that are no text are kept; empty lines are passed over.
    """
    names = data.split(b"\0") if nul else data.splitlines()
    return [os.fsdecode(name) for name in names if name.strip()]
