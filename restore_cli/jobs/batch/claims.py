"""Who works on what: several processes share a folder, and no file is restored by two of them.

A claim is a lock that the system holds for a process. It ends with the process, however that ends,
so that nothing is ever left claimed by the dead; the empty files in the folder of claims are only
what is locked.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from restore_cli.errors import ImageError
from restore_cli.imaging.atomic import as_image_error

CLAIMS_FOLDER = ".restore-claims"

_BUSY = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


def claim_key(output: str) -> str:
    """Return what a result's claim and its temporary file are called."""
    return hashlib.sha256(os.fsencode(output)).hexdigest()[:32]


class Claim(Protocol):
    """The right to make one result."""

    def release(self) -> None:
        """Give it back; may be called twice."""


class Claims(Protocol):
    """Gives the right to make a result to one process at a time."""

    note: str
    """What the user should know; empty: nothing."""

    def take(self, key: str) -> Claim | None:
        """Return the claim; None: a process that is alive holds it.

        Raises:
            ImageError: it cannot be written down.
        """


class FreeClaim:
    """A claim nobody else asks for."""

    def release(self) -> None:
        """Do nothing."""


class NoClaims:
    """Claims where nothing can be locked."""

    def __init__(self, note: str = "") -> None:
        self.note = note

    def take(self, key: str) -> Claim | None:
        return FreeClaim()


class LockClaim:
    """A locked file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        # Removed while it is locked: whoever has opened it meanwhile sees that it is gone.
        with suppress(OSError):
            self._path.unlink()
        os.close(descriptor)


class LockClaims:
    """Claims in a folder on a disk, by ``flock``."""

    note = ""

    def __init__(self, folder: Path) -> None:
        """Make the folder of claims.

        Raises:
            ImageError: it cannot be made, or is none.
        """
        self.folder = folder / CLAIMS_FOLDER
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise as_image_error(error, self.folder) from error
        if self.folder.is_symlink():
            raise ImageError("is a link", path=self.folder, hint="remove it")

    def take(self, key: str) -> Claim | None:
        path = self.folder / key
        while True:
            try:
                descriptor = _locked(path)
            except FileNotFoundError:  # another process has just tidied up
                self.folder.mkdir(exist_ok=True)
                continue
            except OSError as error:
                raise as_image_error(error, path) from error
            if descriptor is None:
                return None
            if _is_still(path, descriptor):
                return LockClaim(path, descriptor)
            os.close(descriptor)  # its last holder has removed it; lock the new one

    def close(self) -> None:
        """Remove the folder, unless it is in use."""
        with suppress(OSError):
            for name in os.listdir(self.folder):  # noqa: PTH208
                claim = self.take(name)
                if claim is not None:
                    claim.release()
            self.folder.rmdir()


def claims_in(folder: Path) -> LockClaims | NoClaims:
    """Return the claims of a folder of results.

    Raises:
        ImageError: it cannot be written to.
    """
    claims = LockClaims(folder)
    try:
        probe = claims.take("probe-" + claim_key(str(os.getpid())))
    except ImageError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in _NO_LOCKS:
            return NoClaims("this file system has no locks: run one batch at a time into it")
        raise
    if probe is not None:
        probe.release()
    return claims


_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def _locked(path: Path) -> int | None:
    """Return a descriptor of the locked file; None: another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        try:
            import fcntl
        except ImportError as error:  # Windows
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _BUSY:
            return None
        raise
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there, held = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
