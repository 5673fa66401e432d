"""Reads and writes YUV4MPEG2 (.y4m): a header line, then frames with a line each.

Source: yuv4mpeg(5) of MJPEG Tools; FFmpeg's names for more than 8 bits (C420p10) and its
parameter XCOLORRANGE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from restore_cli.errors import ImageError
from restore_cli.imaging.video.frames import (
    Frame,
    FrameFormat,
    Layout,
    Passed,
    VideoHeader,
    layout_of,
    packed,
    usual_matrix,
)

MAGIC = b"YUV4MPEG2 "

_MAX_LINE = 4096
_RATIO = re.compile(r"(\d+):(\d+)")
_DEEP = re.compile(r"(420|422|444)p(9|10|12|14|16)")
# Colour space → layout, and where chroma is taken: rows and columns cosited or not. For
# 420paldv Cb and Cr are in turns; what that moves is half a pixel of the correction's colour.
_SPACES: dict[str, tuple[str, tuple[bool, bool]]] = {
    "420": ("yuv420p", (False, False)),
    "420jpeg": ("yuv420p", (False, False)),
    "420mpeg2": ("yuv420p", (False, True)),
    "420paldv": ("yuv420p", (True, True)),
    "422": ("yuv422p", (False, True)),
    "444": ("yuv444p", (False, False)),
    "411": ("yuv411p", (False, True)),
    "mono": ("gray", (False, False)),
    "mono9": ("gray9le", (False, False)),
    "mono10": ("gray10le", (False, False)),
    "mono12": ("gray12le", (False, False)),
    "mono16": ("gray16le", (False, False)),
}
_DEINTERLACE = "deinterlace it first, e.g. ffmpeg -vf bwdif"

Read = Callable[[int], bytes]


class Y4mReader:
    """A Y4M stream; iterate over it once.

    Attributes:
        header: what its first line says.
    """

    def __init__(self, read: Read, total_bytes: int | None = None) -> None:
        """Read the first line.

        Args:
            read: gives as many bytes as asked for, fewer only at the end.
            total_bytes: of the whole file, if that is known.

        Raises:
            ImageError: it is no Y4M, or of a kind we do not read.
        """
        self._read = read
        line = self._line()
        if not line.startswith(MAGIC.rstrip()):
            raise ImageError("not an image or YUV4MPEG2 stream", hint="check what is piped in")
        self.header = _parsed(line.decode("ascii", "replace").split(" ")[1:])
        if total_bytes is not None:
            one = len(b"FRAME\n") + self.header.format.frame_bytes
            self.header = replace(self.header, frames=(total_bytes - len(line) - 1) // one)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            ImageError: the stream ends within a frame, or is damaged.
        """
        format = self.header.format
        count = 0
        while line := self._line():
            if line.split(b" ")[0] != b"FRAME":
                raise ImageError(f"damaged after frame {count}: no FRAME line follows")
            data = self._read(format.frame_bytes)
            if len(data) < format.frame_bytes:
                raise cut_off(count)
            yield Frame(format.unpacked(data), mark=line[len(b"FRAME") :])
            count += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know: nothing."""
        return ()

    def _line(self) -> bytes:
        """Return a line without its end; nothing at the end of the stream."""
        line = bytearray()
        while (byte := self._read(1)) != b"\n":
            if not byte and line:
                raise ImageError("the stream ends within a header line")
            if not byte:
                return b""
            line += byte
            if len(line) > _MAX_LINE:
                raise ImageError("damaged: a header line does not end")
        return bytes(line)


class Y4mWriter:
    """Writes a Y4M stream: its first line with the first frame, then frame after frame."""

    def __init__(self, write: Callable[[bytes], object], header: VideoHeader) -> None:
        """Prepare to write.

        Args:
            write: takes bytes.
            header: of the video; Y4M has to have its layout.
        """
        self._write = write
        self._first_line = header_line(header)

    def write(self, item: Frame | Passed) -> None:
        """Write a frame; there is no place for anything else."""
        if isinstance(item, Frame):
            self._write(self._first_line + b"FRAME" + item.mark + b"\n" + packed(item.planes))
            self._first_line = b""


def space_of(format: FrameFormat) -> str | None:
    """Return Y4M's name for the frames' colour space; None if it has none."""
    name = format.layout.name
    if name == "yuv420p" and format.is_cosited == (False, True):
        return "420mpeg2"
    for space, (layout, _) in _SPACES.items():
        if layout == name and space != "420":
            return space
    deep = name.removeprefix("yuv").removesuffix("le")
    return deep if _DEEP.fullmatch(deep) else None


def header_line(header: VideoHeader) -> bytes:
    """Return the first line of a stream.

    Raises:
        ValueError: Y4M has no name for the layout.
    """
    format = header.format
    space = next((tag[1:] for tag in header.tags if tag[0] == "C"), None) or space_of(format)
    if space is None:
        raise ValueError(f"no Y4M colour space for {format.layout.name}")
    rate, aspect = header.rate or Fraction(25), header.aspect
    aspect_tag = f"A{aspect.numerator}:{aspect.denominator}" if aspect else "A0:0"
    tags = list(header.tags) or [
        f"F{rate.numerator}:{rate.denominator}",
        "Ip",
        aspect_tag,
        f"C{space}",
        f"XCOLORRANGE={'FULL' if format.is_full_range else 'LIMITED'}",
    ]
    size = [f"W{format.width}", f"H{format.height}"]
    return " ".join([MAGIC.decode().strip(), *size, *tags]).encode() + b"\n"


def cut_off(count: int) -> ImageError:
    """Return the error for a stream that ends within a frame, after ``count`` whole frames."""
    whole = f"{count} whole frame{'' if count == 1 else 's'}"
    return ImageError(
        f"the stream ends within a frame, after {whole}", hint="the command before may have failed"
    )


def _parsed(tags: list[str]) -> VideoHeader:
    tags = [tag for tag in tags if tag]
    values = {tag[0]: tag[1:] for tag in tags if tag[0] != "X"}
    if values.get("I", "p") not in ("p", "?", ""):
        raise ImageError("interlaced video is not supported", hint=_DEINTERLACE)
    try:
        width, height = int(values["W"]), int(values["H"])
    except (KeyError, ValueError) as error:
        raise ImageError("damaged Y4M header: no width and height") from error
    layout, is_cosited = _space(values.get("C", "420jpeg"))
    ranges = {tag.partition("=")[2] for tag in tags if tag.startswith("XCOLORRANGE=")}
    format = FrameFormat(
        layout,
        width,
        height,
        usual_matrix(width, height),
        # FFmpeg takes grey for full range, and so does everybody after it.
        is_full_range="FULL" in ranges or (layout.kind == "gray" and not ranges),
        is_cosited=is_cosited,
    )
    kept = tuple(tag for tag in tags if tag[0] not in "WH")
    return VideoHeader(format, _ratio(values.get("F")), _ratio(values.get("A")), tags=kept)


def _space(name: str) -> tuple[Layout, tuple[bool, bool]]:
    layout, is_cosited = _SPACES.get(name, (None, (False, False)))
    if deep := _DEEP.fullmatch(name):
        layout, is_cosited = f"yuv{deep[1]}p{deep[2]}le", (False, deep[1] != "444")
    known = None if layout is None else layout_of(layout)
    if known is None:
        hint = f"there is {', '.join(_SPACES)}, 420p10 and alike"
        raise ImageError(f"Y4M with colour space C{name} is not supported", hint=hint)
    return known, is_cosited


def _ratio(text: str | None) -> Fraction | None:
    match = _RATIO.fullmatch(text or "")
    if match is None or int(match[2]) == 0 or int(match[1]) == 0:
        return None
    return Fraction(int(match[1]), int(match[2]))
