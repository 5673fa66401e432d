"""What a batch has done: one JSON line for each step, flushed to the disk, never rewritten.

A result is announced (``writing``, with its checksum) before it is put in its place and confirmed
(``done``) afterwards. Whoever is killed in between leaves an announcement, and the next run sees by
the checksum whether the result got to its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from restore_cli.atomic import as_image_error
from restore_cli.errors import ImageError
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.json_report import JsonObject

JOURNAL_NAME = ".restore-journal.jsonl"


class Journal(Protocol):
    """Remembers, across runs and processes, what was done."""

    damaged: int
    """Lines that could not be read; what they told will be found out again."""

    def last(self, output: str) -> Record | None:
        """Return the last record of a result; None: nobody knows of it."""

    def has_written(self, output: str) -> bool:
        """Say whether any batch has put, or was about to put, a result there."""

    def refresh(self) -> None:
        """Take in what other processes have written since.

        Raises:
            ImageError: it cannot be read.
        """

    def append(self, record: Record) -> None:
        """Remember; when this returns, it is on the disk.

        Raises:
            ImageError: it cannot be written.
        """

    def describe(self, settings: str, values: JsonObject) -> None:
        """Write down once, for people, what a checksum of settings stands for.

        Raises:
            ImageError: it cannot be written.
        """


class EmptyJournal:
    """What a batch goes by that has done nothing yet and is not to write anything."""

    damaged = 0

    def last(self, output: str) -> Record | None:
        return None

    def has_written(self, output: str) -> bool:
        return False

    def refresh(self) -> None:
        """Do nothing."""

    def append(self, record: Record) -> None:
        """Do nothing."""

    def describe(self, settings: str, values: JsonObject) -> None:
        """Do nothing."""


class FileJournal:
    """The journal in a folder on a disk; several processes may write to it."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Open the journal, or begin one.

        Raises:
            ImageError: it cannot be opened.
        """
        self.path = folder / JOURNAL_NAME
        self.damaged = 0
        self._last: dict[str, Record] = {}
        self._written: set[str] = set()
        self._described: set[str] = set()
        self._read_to = 0
        self._mutex = threading.Lock()
        mode = os.O_RDONLY if read_only else os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            # A link of this name would have lines appended to whatever it leads to.
            no_links = getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self.path, mode | no_links | getattr(os, "O_BINARY", 0), 0o666)
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise ImageError("is not a regular file", path=self.path, hint="remove it")
        except OSError as error:
            raise as_image_error(error, self.path) from error
        self.refresh()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def last(self, output: str) -> Record | None:
        return self._last.get(output)

    def has_written(self, output: str) -> bool:
        return output in self._written

    def refresh(self) -> None:
        with self._mutex:
            try:
                size = os.fstat(self._file).st_size
                if size > self._read_to:
                    self._take_in(_read(self._file, self._read_to, size))
            except OSError as error:
                what = f"cannot be read: {error.strerror}"
                raise ImageError(what, path=self.path) from error

    def append(self, record: Record) -> None:
        self._write(record.to_line(now()))
        self.refresh()

    def describe(self, settings: str, values: JsonObject) -> None:
        if settings not in self._described:
            self._write({"step": "settings", "time": now(), "settings": settings, **values})
            self.refresh()

    def _write(self, values: JsonObject) -> None:
        line = json.dumps(values).encode() + b"\n"
        try:
            with self._mutex, locked(self._file):
                size = os.fstat(self._file).st_size
                # Whoever wrote the last line may have been killed within it, or the disk was full.
                if size and _read(self._file, size - 1, size) != b"\n":
                    line = b"\n" + line
                done = 0
                while done < len(line):
                    done += os.write(self._file, line[done:])
                os.fsync(self._file)
        except OSError as error:
            raise as_image_error(error, self.path) from error

    def _take_in(self, data: bytes) -> None:
        """Understand whole lines; what has no end yet may still grow."""
        end = data.rfind(b"\n") + 1
        self._read_to += end
        for line in data[:end].splitlines():
            if not line.strip():
                continue
            try:
                values = json.loads(line)
                record = Record.of_line(values)
                if record is None:
                    self._described.add(str(values.get("settings")))
                else:
                    self._last[record.output] = record
                    if record.step != "failed":
                        self._written.add(record.output)
            except (ValueError, TypeError, KeyError, AttributeError):
                self.damaged += 1


@contextlib.contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold a file to oneself among processes, where the system can do that.

    Without it, appended lines are still whole on a local disk.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _read(descriptor: int, start: int, end: int) -> bytes:
    parts = []
    while start < end:
        os.lseek(descriptor, start, os.SEEK_SET)
        part = os.read(descriptor, end - start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def now() -> str:
    """Return the time as the journal writes it."""
    import datetime

    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
