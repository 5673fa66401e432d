"""Defines the errors that users see, and their exit codes.

RestoreError                exit 1
├── UsageError              exit 2   options that contradict each other
├── ImageError              exit 3   unreadable, unsupported or truncated image; nowhere to write
├── WeightsError            exit 4   unknown model, wrong checksum, keys that do not fit
├── DeviceError             exit 5   device absent, or out of memory at the smallest tile
└── ResultError             exit 6   the restored pixels failed their own check
"""

from __future__ import annotations

from pathlib import Path


class RestoreError(Exception):
    """A failure the user can act on; prints as one line: which file, what, what to do.

    Args:
        what: what failed, lower case, no full stop.
        path: the file it failed on, if there is one.
        hint: what to do about it, if we know.
    """

    exit_code = 1

    def __init__(self, what: str, *, path: str | Path | None = None, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.path = None if path is None else str(path)
        self.hint = hint

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        todo = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.what}{todo}"


class UsageError(RestoreError):
    """Options that are wrong or contradict each other."""

    exit_code = 2


class ImageError(RestoreError):
    """An image that cannot be read, understood or written."""

    exit_code = 3


class WeightsError(RestoreError):
    """An unknown model, or weights that are damaged or do not fit their network."""

    exit_code = 4


class DeviceError(RestoreError):
    """A device that is absent, or too small for the smallest tile."""

    exit_code = 5


class ResultError(RestoreError):
    """Restored pixels that failed their own check and were not written."""

    exit_code = 6


class MemoryTooSmallError(Exception):
    """Even the smallest tiles need more memory than there is.

    Jobs turn this into a :class:`DeviceError` that says which limit would do.

    Attributes:
        need_bytes: of main memory, for the whole process.
    """

    def __init__(self, need_bytes: int) -> None:
        super().__init__(f"{need_bytes} bytes")
        self.need_bytes = need_bytes
