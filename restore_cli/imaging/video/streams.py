"""Reads and writes the bytes of video streams: files, stdin and stdout.

stdin and stdout are used below Python's own buffers: a thread that waits inside of those would
bring the interpreter down when the program ends.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from restore_cli.atomic import replacing
from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.video.y4m import Read

STREAM = "-"

Write = Callable[[bytes], object]


def peek_stdin(count: int) -> bytes:
    """Return the first bytes on stdin, at most ``count``, and leave them there.

    Nothing comes from a terminal, and fewer where the writer hesitates.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    peek: Callable[[int], bytes] | None = getattr(sys.stdin.buffer, "peek", None)
    return b"" if peek is None else peek(count)[:count]


@contextmanager
def input_bytes(path: str) -> Iterator[tuple[Read, int | None]]:
    """Give a function that reads, and the number of bytes if it is known.

    The function returns as many bytes as are asked for, fewer only at the end.

    Args:
        path: of a file, or "-" for stdin.

    Raises:
        UsageError: stdin is a terminal.
        ImageError: it cannot be read.
    """
    if path == STREAM:
        yield _stdin_reader(), None
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise ImageError(f"cannot read: {error.strerror or error}", path=path) from error
        size = os.fstat(file.fileno()).st_size if Path(path).is_file() else None
        yield _reporting(file, path), size


@contextmanager
def output_bytes(path: str) -> Iterator[Write]:
    """Give a function that writes; a file appears when the block ends well.

    Args:
        path: of a file, or "-" for stdout.

    Raises:
        UsageError: stdout is a terminal.
        ImageError: it cannot be written.
        BrokenPipeError: the reader of stdout has gone away.
    """
    if path != STREAM:
        with replacing(path) as file:
            yield file.write
        return
    if sys.stdout is None:
        raise ImageError("stdout is closed", path="<stdout>")
    if sys.stdout.isatty():
        raise UsageError("frames are not written to a terminal", hint="pipe them on, or use -o")
    sys.stdout.flush()
    yield _stdout_writer(sys.stdout.fileno())


def _stdin_reader() -> Read:
    if sys.stdin is None:
        raise ImageError("stdin is closed", path="<stdin>")
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="pipe frames in, or name a file")
    begun = io.BytesIO(sys.stdin.buffer.read(len(peek_stdin(io.DEFAULT_BUFFER_SIZE))))
    rest = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    read_rest = _reporting(rest, "<stdin>")

    def read(count: int) -> bytes:
        data = begun.read(count)
        return data if len(data) == count else data + read_rest(count - len(data))

    return read


def _reporting(file: BinaryIO | io.BufferedReader, name: str) -> Read:
    def read(count: int) -> bytes:
        try:
            return file.read(count)
        except OSError as error:
            raise ImageError(f"cannot read: {error.strerror or error}", path=name) from error

    return read


def _stdout_writer(descriptor: int) -> Write:
    raw = io.FileIO(descriptor, "wb", closefd=False)

    def write(data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[raw.write(left) or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            what = f"cannot write: {error.strerror or error}"
            hint = "free some space there"
            raise ImageError(what, path="<stdout>", hint=hint) from error

    return write
