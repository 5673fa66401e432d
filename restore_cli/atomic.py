"""Writes files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from restore_cli.errors import ImageError, RestoreError

_ADVICE = {
    errno.ENOSPC: ("the disk is full", "free some space or write elsewhere"),
    errno.EDQUOT: ("the disk quota is used up", "free some space or write elsewhere"),
    errno.EACCES: ("no permission to write there", "choose another folder with -o"),
    errno.EPERM: ("no permission to write there", "choose another folder with -o"),
    errno.EROFS: ("the disk is read-only", "choose another folder with -o"),
    errno.EISDIR: ("there is a folder of this name", "choose another name with -o"),
    errno.ENOENT: ("the folder does not exist", "create it first"),
    errno.ENOTDIR: ("the folder is not a folder", "choose another folder with -o"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name with -o"),
}


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write ``data`` so that readers see the old file or the new one, never a part.

    Raises:
        ImageError: missing or unwritable folder, full disk, a folder in the way.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: str | Path, failure: type[RestoreError] = ImageError) -> Iterator[BinaryIO]:
    """Give a file to write and read, which becomes ``path`` when the block ends well.

    It is a temporary file beside the target, flushed to the disk and renamed. It is removed
    whatever goes wrong. A symbolic link keeps pointing to its target, which is replaced;
    permissions are the old file's, or those a new file would get.

    Args:
        path: what is replaced.
        failure: what is raised when it cannot be.

    Raises:
        RestoreError: missing or unwritable folder, full disk, a folder in the way.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with _temporary(target) as file:
            yield file
    except OSError as error:
        what, hint = _advice(error)
        raise failure(what, path=path, hint=hint) from error


def as_image_error(error: OSError, path: str | Path) -> ImageError:
    """Return the error that tells the user why ``path`` cannot be written."""
    what, hint = _advice(error)
    return ImageError(what, path=path, hint=hint)


def _advice(error: OSError) -> tuple[str, str]:
    """Return what could not be done, and what to do about it."""
    what, hint = _ADVICE.get(error.errno or 0, (error.strerror or str(error), ""))
    return f"cannot write: {what}", hint


@contextmanager
def _temporary(target: Path) -> Iterator[BinaryIO]:
    mode = _mode(target)
    descriptor, name = tempfile.mkstemp(prefix=".restore-", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        os.close(descriptor)  # a file opened by name knows its name, as some writers want
        with temporary.open("r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:  # Ctrl-C too must not leave a file behind
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _mode(target: Path) -> int:
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        umask = os.umask(0)  # the only way to read it
        os.umask(umask)
        return 0o666 & ~umask


def sync_folder(folder: Path) -> None:
    """Flush the rename itself; systems that cannot open a folder do without."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
