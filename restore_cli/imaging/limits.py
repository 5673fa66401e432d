"""Refuses sizes that are too large: a file of a few bytes may claim billions of pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from restore_cli.errors import ImageError, UsageError

DEFAULT_MAX_PIXELS = 300_000_000
VARIABLE = "RESTORE_MAX_PIXELS"


def max_pixels() -> int:
    """Return the limit in force: RESTORE_MAX_PIXELS, or 300 million.

    Raises:
        UsageError: the variable is not a positive whole number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return DEFAULT_MAX_PIXELS
    try:
        limit = int(text)
    except ValueError:
        limit = 0
    if limit < 1:
        raise UsageError(f"{VARIABLE} is {text!r}, not a positive whole number of pixels")
    return limit


SizeCheck = Callable[[int, int], None]  # width, height; raises a RestoreError

_further_check: ContextVar[SizeCheck | None] = ContextVar("further_check", default=None)


@contextmanager
def with_size_check(check: SizeCheck) -> Iterator[None]:
    """Check sizes with one more function, before pixels are unpacked."""
    token = _further_check.set(check)
    try:
        yield
    finally:
        _further_check.reset(token)


# A file with fewer bytes per pixel than this is no photo: it was made to waste time and disk.
_LEAST_BYTES_PER_PIXEL = 0.01


def check_streamed_size(width: int, height: int, stored_bytes: int) -> None:
    """Refuse sizes that may not even be decoded part by part.

    The limit holds only where the user has set it, or where so few bytes hold the pixels that
    the file must be meant to waste time and disk.

    Args:
        width: in pixels.
        height: in pixels.
        stored_bytes: what the pixels take in the file.

    Raises:
        ImageError: see ``check_size``.
    """
    is_hollow = stored_bytes < _LEAST_BYTES_PER_PIXEL * width * height
    if VARIABLE in os.environ or is_hollow or 0 in (width, height):
        check_size(width, height)


def check_size(width: int, height: int) -> None:
    """Refuse sizes that are too large; call it before any pixel is unpacked.

    Raises:
        ImageError: a side is 0, or there are more pixels than the limit.
    """
    if width < 1 or height < 1:
        raise ImageError(f"claims to be {width}×{height} pixels", hint="the header is damaged")
    further = _further_check.get()
    if further is not None:
        further(width, height)
    if width * height > max_pixels():
        raise ImageError(
            f"{width}×{height} pixels ({width * height / 1e6:.0f} megapixels) are over the limit "
            f"of {max_pixels() / 1e6:.0f} megapixels",
            hint=f"if the file is trusted, set {VARIABLE}={width * height}",
        )
