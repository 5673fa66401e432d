"""Catches what C libraries print on stderr, so that users see one plain line instead."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()  # file descriptor 2 belongs to the whole process

_NATIVE_STARTS = (
    "libpng ",
    "Corrupt JPEG data",
    "Premature end of JPEG",
    "Unsupported marker type",
    "Invalid SOS parameters",
    "Invalid JPEG file",
    "Inconsistent progression",
    "Unknown Adobe",
    "Warning",
    "[ WARN:",
    "[ERROR:",
    "> ",
    "where",
)


@contextmanager
def native_messages() -> Iterator[list[str]]:
    """Catch what native code prints in the block; the list is filled when the block ends.

    Lines that no codec would print (another thread's log or progress bar) are passed on to
    the real stderr afterwards. One block runs at a time.
    """
    lines: list[str] = []
    with _LOCK:
        try:
            saved = os.dup(2)
        except OSError:  # started without a stderr
            yield lines
            return
        with tempfile.TemporaryFile() as sink:
            _flush()
            os.dup2(sink.fileno(), 2)
            try:
                yield lines
            finally:
                _flush()
                os.dup2(saved, 2)
                os.close(saved)
                sink.seek(0)
                _sort_out(sink.read(), lines)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def _sort_out(caught: bytes, lines: list[str]) -> None:
    foreign: list[bytes] = []
    is_native = False
    for raw in caught.splitlines(keepends=True):
        text = raw.decode("utf-8", "replace").strip()
        # An indented line goes on with the one before.
        is_native = text.startswith(_NATIVE_STARTS) or (is_native and raw[:1].isspace())
        if text and is_native:
            lines.append(text)
        elif text:
            foreign.append(raw)
    if foreign:
        os.write(2, b"".join(foreign))


def reason(lines: list[str]) -> str:
    """Return the line that says most, shortened; empty if there is none."""
    for line in reversed(lines):
        if line.startswith(("libpng error: ", "Corrupt JPEG data: ")):
            return line.split(": ", 1)[1]
        if "error: (" in line:  # OpenCV: "... error: (-212:Parsing error) text in function 'f'"
            return line.split(") ", 2)[-1].split(" in function")[0].strip()
    return ""
