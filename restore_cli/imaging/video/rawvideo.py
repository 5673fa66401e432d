"""Reads and writes bare frames, one after another, as ``ffmpeg -f rawvideo`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from restore_cli.errors import UsageError
from restore_cli.imaging.video.frames import (
    Frame,
    FrameFormat,
    Passed,
    VideoHeader,
    layout_of,
    packed,
    usual_matrix,
)
from restore_cli.imaging.video.y4m import Read, cut_off

DEFAULT_LAYOUT = "rgb24"


def raw_format(width: int, height: int, pix_fmt: str | None) -> FrameFormat:
    """Return the format of raw frames.

    Y'CbCr is taken for limited range, chroma for that of MPEG-2 and H.264: between two rows, on the
    first of two columns. Grey is full range.

    Raises:
        UsageError: there is no such layout.
        ImageError: a side is 0, or there are too many pixels.
    """
    layout = layout_of(pix_fmt or DEFAULT_LAYOUT)
    if layout is None:
        hint = "there is rgb24, bgr24, rgb48le, gray, gray16le, yuv420p, yuv422p10le and alike"
        raise UsageError(f"no pixel format is called {pix_fmt!r} here", hint=hint)
    matrix = usual_matrix(width, height)
    is_cosited = (False, layout.steps[1] > 1)
    return FrameFormat(layout, width, height, matrix, layout.kind == "gray", is_cosited)


class RawReader:
    """A stream of bare frames; iterate over it once."""

    def __init__(self, read: Read, format: FrameFormat, total_bytes: int | None = None) -> None:
        """Prepare to read.

        Args:
            read: gives as many bytes as asked for, fewer only at the end.
            format: of the frames.
            total_bytes: of the whole file, if that is known.
        """
        self._read = read
        frames = None if total_bytes is None else total_bytes // format.frame_bytes
        self.header = VideoHeader(format, frames=frames)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            ImageError: the stream ends within a frame.
        """
        format = self.header.format
        count = 0
        while data := self._read(format.frame_bytes):
            if len(data) < format.frame_bytes:
                raise cut_off(count)
            yield Frame(format.unpacked(data))
            count += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know: nothing."""
        return ()


class RawWriter:
    """Writes bare frames."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, item: Frame | Passed) -> None:
        """Write a frame; there is no place for anything else."""
        if isinstance(item, Frame):
            self._write(packed(item.planes))
