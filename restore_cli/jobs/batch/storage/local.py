"""Reads inputs from a disk, and writes results to it."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from restore_cli.atomic import as_image_error, sync_folder
from restore_cli.errors import ImageError
from restore_cli.jobs.batch.storage.base import Content, Entry, Kind, Signature, Staging

# Within this time two changes may bear one time stamp: FAT counts in steps of two seconds.
_RACY_S = 2.5

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".restore-", ".part"


class LocalStorage:
    """Reads files by their paths; names that are no text are kept by ``surrogateescape``."""

    is_local = True

    def local_path(self, path: str) -> str | None:
        return path if self.kind(path) == "file" else None

    def kind(self, path: str) -> Kind | None:
        if os.path.isdir(path):  # noqa: PTH112 - names may be no text, str all the way
            return "folder"
        if os.path.isfile(path):  # noqa: PTH113
            return "file"
        return "other" if os.path.lexists(path) else None

    def entries(self, folder: str) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            what = f"cannot be read: {error.strerror or error}"
            raise ImageError(what, path=folder, hint="check its permissions") from error
        for entry in entries:
            yield Entry(entry.name, entry.path, _entry_kind(entry))

    def matches(self, pattern: str) -> list[str]:
        found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - keeps names as they are
        return sorted(found, key=os.fsencode)

    def read(self, path: str) -> Content:
        with _readable(path) as file, _watched(file) as watch:
            data = file.read()
        return Content(data, watch.signature)

    def head(self, path: str, size: int) -> bytes:
        with _readable(path) as file:
            return file.read(size)

    def checksum(self, path: str) -> tuple[str, Signature | None]:
        """Return the SHA-256 of a file that need not fit in memory, and its certain signature.

        Raises:
            ImageError: it cannot be read.
        """
        with _readable(path) as file, _watched(file) as watch:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, watch.signature

    def signature(self, path: str) -> Signature | None:
        try:
            return _signature(os.stat(path))  # noqa: PTH116
        except (OSError, ValueError):
            return None

    def identity(self, path: str) -> str:
        return os.path.realpath(path)


class LocalResults:
    """A folder of results on a disk; nothing is written through links inside of it."""

    is_local = True

    def __init__(self, folder: str) -> None:
        self.title = folder
        self.root = Path(os.path.realpath(folder))

    def prepare(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            hint = "choose another folder with -o"
            raise ImageError("is not a folder", path=self.title, hint=hint) from error
        except OSError as error:
            raise as_image_error(error, self.title) from error

    def path(self, name: str) -> str:
        return os.path.join(self.title, *PurePosixPath(name).parts)  # noqa: PTH118

    def identity(self, name: str) -> str:
        return str(self.root.joinpath(*PurePosixPath(name).parts))

    def signature(self, name: str) -> Signature | None:
        try:
            return _signature(os.lstat(self.identity(name)))
        except OSError:
            return None

    def sha256(self, name: str) -> str | None:
        try:
            with _readable(self.identity(name)) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except (ImageError, OSError):
            return None

    def stage(self, name: str, data: bytes, key: str) -> StagedFile:
        target = self.place(name)
        temporary = self._temporary(target, key)
        try:
            # No link of that name is followed, nor is a file that was there kept.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
            with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            remove_temporary(temporary)
            raise as_image_error(error, self.path(name)) from error
        except BaseException:
            remove_temporary(temporary)
            raise
        return StagedFile(temporary, temporary, target, len(data), hashlib.sha256(data).hexdigest())

    @contextmanager
    def staging(self, name: str, key: str) -> Iterator[Staging]:
        target = self.place(name)
        folder = self._temporary(target, key)
        try:
            folder.mkdir()
        except OSError as error:
            raise as_image_error(error, self.path(name)) from error
        try:
            staging = Staging(folder / target.name)
            yield staging
            with staging.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = staging.path.stat().st_size
            staging.staged = StagedFile(staging.path, folder, target, size, digest)
        except BaseException:
            remove_temporary(folder)
            raise

    def place(self, name: str) -> Path:
        """Return the path of a result, in a folder that is made if need be.

        Raises:
            ImageError: links lead it out of the folder of results, or it cannot be made.
        """
        target = Path(self.identity(name))
        folder = target.parent
        if ".." in target.parts or not target.is_relative_to(self.root):
            raise ImageError("is outside the folder of results", path=name)
        if Path(os.path.realpath(folder)) != folder:
            hint = "remove the link, or choose another -o"
            raise ImageError("a link leads out of its folder", path=self.path(name), hint=hint)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mode = os.lstat(target).st_mode
        except FileNotFoundError:
            return target
        except OSError as error:
            raise as_image_error(error, self.path(name)) from error
        if not stat.S_ISREG(mode):
            what = "is a link" if stat.S_ISLNK(mode) else "is not a regular file"
            raise ImageError(what, path=self.path(name), hint="remove it, or choose another -o")
        return target

    def _temporary(self, target: Path, key: str) -> Path:
        """Return where a result is made ready; the key's claim makes it ours."""
        temporary = target.with_name(f"{TEMPORARY_PREFIX}{key}{TEMPORARY_SUFFIX}")
        remove_temporary(temporary)
        return temporary


@dataclass(slots=True)
class StagedFile:
    """A result beside its place, under a name of ours."""

    written: Path
    temporary: Path  # the same, or the folder it is alone in
    target: Path
    size: int
    sha256: str

    def commit(self) -> Signature | None:
        try:
            self.written.replace(self.target)
            signature = _signature(os.lstat(self.target))
        except OSError as error:
            self.drop()
            raise as_image_error(error, str(self.target)) from error
        if self.temporary != self.written:
            remove_temporary(self.temporary)
        sync_folder(self.target.parent)
        return signature

    def drop(self) -> None:
        remove_temporary(self.temporary)


def remove_temporary(path: Path) -> None:
    """Remove what a run left half-done: a file, or the folder of one that is written in parts."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _readable(path: str) -> Iterator[BufferedReader]:
    """Open a regular file; a named pipe in a folder must not be waited for.

    Raises:
        ImageError: missing, unreadable, or something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ImageError("is not a regular file", path=path)
            yield file
    except FileNotFoundError as error:
        is_link = os.path.islink(path)  # noqa: PTH114
        what = "is a link to nothing" if is_link else "no such file"
        raise ImageError(what, path=path, hint="check the name") from error
    except IsADirectoryError as error:
        raise ImageError("is a folder", path=path) from error
    except PermissionError as error:
        raise ImageError("no permission to read it", path=path) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        what = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"cannot read: {what}", path=path) from error


_BINARY = getattr(os, "O_BINARY", 0)


@dataclass(slots=True)
class _Watch:
    """A file's signature while it was read; None if it may have changed."""

    signature: Signature | None = None


@contextmanager
def _watched(file: BufferedReader) -> Iterator[_Watch]:
    watch = _Watch()
    before = os.fstat(file.fileno())
    now_s = time.time()
    yield watch
    after = os.fstat(file.fileno())
    # What was just written may be written once more without a trace in its times.
    if _signature(before) == _signature(after) and now_s - after.st_mtime > _RACY_S:
        watch.signature = _signature(after)


def _signature(facts: os.stat_result) -> Signature:
    # The time of the last change of anything cannot be set by a program that keeps the other.
    return (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


def _entry_kind(entry: os.DirEntry[str]) -> Kind:
    try:
        if entry.is_dir():
            return "link to a folder" if entry.is_symlink() else "folder"
        # A link to nothing is listed, so that someone hears of it.
        return "file" if entry.is_file() or entry.is_symlink() else "other"
    except OSError:  # links that lead in a circle
        return "file"
