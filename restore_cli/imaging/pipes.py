"""Reads image bytes from stdin, and writes them to stdout."""

from __future__ import annotations

import sys

from restore_cli.errors import ImageError, UsageError


def read_stdin() -> bytes:
    """Return everything on stdin.

    Raises:
        UsageError: stdin is a terminal.
        ImageError: stdin is closed or empty.
    """
    if sys.stdin is None:
        raise ImageError("stdin is closed", path="<stdin>")
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="pipe an image in, or name a file")
    data = sys.stdin.buffer.read()
    if not data:
        raise ImageError("no data", path="<stdin>", hint="the command before the pipe gave nothing")
    return data


def write_stdout(data: bytes) -> None:
    """Write all of ``data`` to stdout.

    Raises:
        UsageError: stdout is a terminal.
        ImageError: stdout is closed.
        BrokenPipeError: the reader has gone away; the program ends quietly then.
    """
    if sys.stdout is None:
        raise ImageError("stdout is closed", path="<stdout>")
    if sys.stdout.isatty():
        raise UsageError(
            "image bytes are not written to a terminal", hint="redirect them, or use -o FILE"
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
