"""Claims files, so that several processes share a folder and none restores a file twice.

A claim is a lock that the system holds for a process. It ends with the process, however that ends,
so that nothing stays claimed by a dead process. The empty files in the folder of claims only exist
to be locked.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from restore_cli.atomic import as_image_error
from restore_cli.errors import ImageError

CLAIMS_FOLDER = ".restore-claims"

_EVERYTHING = "everything"  # the claim on the folder as a whole
_BUSY = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


def claim_key(output: str) -> str:
    """Return the name of a result's claim, which its temporary file has, too."""
    return hashlib.sha256(os.fsencode(output)).hexdigest()[:32]


class Claim(Protocol):
    """The right to make one result."""

    def release(self) -> None:
        """Give the claim back; may be called twice."""


class Claims(Protocol):
    """Gives the right to make a result to one process at a time."""

    note: str
    """What the user should know; empty: nothing."""

    def take(self, key: str) -> Claim | None:
        """Claim a result; return None if a living process holds the claim.

        Raises:
            ImageError: it cannot be written down.
        """

    def enter(self, *, alone: bool) -> Claim | None:
        """Claim the folder, alone or with others; return None if others do not allow that.

        Raises:
            ImageError: it cannot be written down.
        """


class FreeClaim:
    """A claim that nobody else asks for."""

    def release(self) -> None:
        """Do nothing."""


class NoClaims:
    """Grants every claim, where files cannot be locked."""

    def __init__(self, note: str = "") -> None:
        self.note = note

    def take(self, key: str) -> Claim | None:
        return FreeClaim()

    def enter(self, *, alone: bool) -> Claim | None:
        return FreeClaim()


class LockClaim:
    """Holds a claim by a locked file."""

    def __init__(self, path: Path, descriptor: int, *, is_shared: bool = False) -> None:
        self._path = path
        self._descriptor: int | None = descriptor
        self._is_shared = is_shared

    def release(self) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        # Remove it while it is locked: a process that has opened it meanwhile sees that it is gone.
        if not self._is_shared or _lock(descriptor, shared=False):
            with suppress(OSError):
                self._path.unlink()
        os.close(descriptor)


class LockClaims:
    """Claims results by locked files in a folder on a disk (``flock``)."""

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
        return self._take(key, shared=False)

    def enter(self, *, alone: bool) -> Claim | None:
        return self._take(_EVERYTHING, shared=not alone)

    def _take(self, key: str, *, shared: bool) -> Claim | None:
        path = self.folder / key
        while True:
            try:
                descriptor = _locked(path, shared=shared)
            except FileNotFoundError:  # another process has just tidied up
                self.folder.mkdir(exist_ok=True)
                continue
            except OSError as error:
                raise as_image_error(error, path) from error
            if descriptor is None:
                return None
            if _is_still(path, descriptor):
                return LockClaim(path, descriptor, is_shared=shared)
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
    """Return what claims results in a folder on a disk.

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


def _locked(path: Path, *, shared: bool) -> int | None:
    """Return a descriptor of the locked file; None: another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        if _lock(descriptor, shared=shared):
            return descriptor
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int, *, shared: bool) -> bool:
    """Try to lock an open file, alone or shared; return whether that worked."""
    try:
        import fcntl
    except ImportError as error:  # Windows
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there, held = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
