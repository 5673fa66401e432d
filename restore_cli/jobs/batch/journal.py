"""Keeps the journal of a batch: one JSON line for each step, flushed to the disk, never rewritten.

Before a result is put in its place, the journal says so (``writing``, with its checksum).
Afterwards it says ``done``. If a process is killed in between, the next run compares the checksum
and sees whether the result got to its place.
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
    """Remembers what was done, across runs and processes."""

    damaged: int
    """Lines that could not be read; their files are looked at again."""

    def last(self, output: str) -> Record | None:
        """Return the last record of a result; None if there is none."""

    def has_written(self, output: str) -> bool:
        """Return whether a batch has put a result there, or was about to."""

    def refresh(self) -> None:
        """Read what other processes have written since.

        Raises:
            ImageError: it cannot be read.
        """

    def append(self, record: Record) -> None:
        """Write a record; when this returns, it is on the disk.

        Raises:
            ImageError: it cannot be written.
        """

    def describe(self, settings: str, values: JsonObject) -> None:
        """Write once, for people, which settings a checksum stands for.

        Raises:
            ImageError: it cannot be written.
        """


class EmptyJournal:
    """A journal with nothing in it, which writes nothing."""

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
    """Keeps the journal in a folder on a disk; several processes may write to it."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Open the journal, or start one.

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
        """Close the file."""
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
                    self._parse(_read(self._file, self._read_to, size))
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
                # The last writer may have been killed within its line, or the disk was full.
                if size and _read(self._file, size - 1, size) != b"\n":
                    line = b"\n" + line
                done = 0
                while done < len(line):
                    done += os.write(self._file, line[done:])
                os.fsync(self._file)
        except OSError as error:
            raise as_image_error(error, self.path) from error

    def _parse(self, data: bytes) -> None:
        """Parse whole lines; a line without an end may still grow."""
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
    """Lock a file against other processes, where the system can do that.

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
