"""Defines what a batch needs of a disk or an object store."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

# What changes when a file does; the first is its size in bytes. None: there is no such file.
Signature = tuple[int | str, ...]
Kind = Literal["file", "folder", "link to a folder", "other"]

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder."""

    name: str
    path: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file.

    Attributes:
        data: all of it.
        signature: tells later whether it is still the same; None where that is not certain.
    """

    data: bytes
    signature: Signature | None


class Staged(Protocol):
    """A result that is complete, but not yet in its place."""

    size: int  # bytes
    sha256: str

    def commit(self) -> Signature | None:
        """Put the result in its place at once; return its signature there.

        Raises:
            ImageError: it cannot be put there.
        """

    def drop(self) -> None:
        """Remove the result; the file in its place stays."""


@dataclass(slots=True)
class Staging:
    """A result that is being written part by part."""

    path: Path  # to write to
    staged: Staged | None = None  # once it is complete


class Storage(Protocol):
    """Reads inputs."""

    @property
    def is_local(self) -> bool:
        """Whether these are files on a disk of this machine."""

    def local_path(self, path: str) -> str | None:
        """Return the path of a regular file on a disk; None for anything else."""

    def checksum(self, path: str) -> tuple[str, Signature | None]:
        """Return the SHA-256 of a file, and its signature if that is certain.

        Raises:
            ImageError: missing or unreadable, or no regular file.
        """

    def kind(self, path: str) -> Kind | None:
        """Return the kind of thing at a path; None if there is nothing."""

    def entries(self, folder: str) -> Iterable[Entry]:
        """Yield the entries of a folder, sorted by name.

        Raises:
            ImageError: it cannot be read.
        """

    def matches(self, pattern: str) -> list[str]:
        """Return the files and folders that a pattern with ``*``, ``?``, ``[]``, ``**`` names."""

    def read(self, path: str) -> Content:
        """Return a whole file.

        Raises:
            ImageError: missing or unreadable, or no regular file.
        """

    def head(self, path: str, size: int) -> bytes:
        """Return the first bytes of a file.

        Raises:
            ImageError: missing or unreadable, or no regular file.
        """

    def signature(self, path: str) -> Signature | None:
        """Return a signature that changes when the file does; None if there is no such file."""

    def identity(self, path: str) -> str:
        """Return the canonical name: two names of one file share it."""


class Results(Protocol):
    """The folder of results; names are relative, with ``/``, and never lead out of it."""

    @property
    def title(self) -> str:
        """Its name in messages."""

    @property
    def is_local(self) -> bool:
        """Whether it is on a disk of this machine."""

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            ImageError: it cannot be made, or is none.
        """

    def path(self, name: str) -> str:
        """Return where a result is, for people."""

    def identity(self, name: str) -> str:
        """Return the canonical name that the result would have among inputs."""

    def signature(self, name: str) -> Signature | None:
        """Return a signature that changes when the result does; None if there is none.

        Raises:
            ImageError: it cannot be told.
        """

    def sha256(self, name: str) -> str | None:
        """Return the checksum of a result; None if there is none, or it cannot be read."""

    def stage(self, name: str, data: bytes, key: str) -> Staged:
        """Write a result completely, but not yet to its place.

        Args:
            name: of the result.
            data: all of it.
            key: of the claim that is held; what a killed run left under it is replaced.

        Raises:
            ImageError: it cannot be written, or its place is outside the folder.
        """

    def staging(self, name: str, key: str) -> AbstractContextManager[Staging]:
        """Give a path to write a result to part by part; it is staged when the block ends well.

        Raises:
            ImageError: it cannot be written, its place is outside the folder, or the folder is
                not on a disk.
        """


def scheme_of(path: str) -> str | None:
    """Return the scheme of a URL in lower case; None for a path."""
    match = _URL.match(path)
    return match[1].lower() if match else None
