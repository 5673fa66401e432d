"""Reads video files of all kinds by FFmpeg's libraries: pictures as frames, sound as packets.

Uses PyAV itself rather than imageio's interface to it, which knows neither sound nor timestamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_cli.errors import ImageError
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.video.frames import (
    Frame,
    FrameFormat,
    Layout,
    Passed,
    VideoHeader,
    layout_of,
    usual_matrix,
)
from restore_cli.imaging.video.library import FULL_RANGE, MATRICES, frame_planes, library

if TYPE_CHECKING:
    from av import VideoFrame
    from av.stream import Stream
    from av.video.stream import VideoStream

# Files that say at their beginning how long they are; of others FFmpeg may only guess it.
_TELL_THEIR_LENGTH = ("mov", "matroska", "avi")
# Of what a file says, that may be missing: its last packets need not say how long they last.
_MISSING_S, _MISSING_SHARE = Fraction(1, 4), Fraction(1, 50)

_DEINTERLACE = "deinterlace it first, e.g. ffmpeg -vf bwdif"


class ContainerReader:
    """A video file; iterate over it once.

    Attributes:
        header: of its pictures.
        time_base: seconds in a frame's unit of time.
        video: the stream of pictures.
        carried: the streams of sound and subtitles.
        turn: what the pictures have to go through to be upright, as FFmpeg's display matrix of
            nine numbers; None: nothing.
        colour: FFmpeg's numbers for the matrix, range, primaries and transfer of its colours.
    """

    def __init__(self, path: str) -> None:
        """Open the file and read up to its first frame.

        Raises:
            UsageError: PyAV is not installed.
            ImageError: it is no video, or cannot be read.
        """
        self._av = library()
        self._path = path
        try:
            # Titles in no known encoding are no reason to refuse the pictures.
            self._container = self._av.open(path, metadata_errors="replace")
        except self._av.FFmpegError as error:
            raise ImageError(f"cannot read the video: {_reason(error)}", path=path) from error
        try:
            self._open()
        except BaseException:
            self._container.close()
            raise

    def _open(self) -> None:
        self.video: VideoStream = self._first_video()
        self.video.thread_type = "AUTO"
        check_size(self.video.width, self.video.height)
        self.carried: list[Stream] = [
            *self._container.streams.audio,
            *self._container.streams.subtitles,
        ]
        self._left_out = len(self._container.streams) - 1 - len(self.carried)
        self._damaged = 0
        self._end_s = Fraction(0)  # of what was read so far
        self._is_cut = False
        self._layout: Layout | None = None
        self.time_base = Fraction(self.video.time_base or Fraction(1, 1000))
        tells = any(name in self._container.format.name for name in _TELL_THEIR_LENGTH)
        unit = self._av.time_base
        self._start_s = Fraction(self._container.start_time or 0, unit)
        self._duration_s = Fraction((self._container.duration or 0) if tells else 0, unit)
        self.metadata = dict(self._container.metadata)
        self.chapters = self._container.chapters()
        decoded = self._decoded()
        begun: list[VideoFrame | Passed] = []
        for item in decoded:
            begun.append(item)
            if not isinstance(item, Passed):
                self._learn(item)
                break
        else:
            raise ImageError("no frames", path=self._path, hint="the file is damaged or empty")
        self._items = chain(begun, decoded)

    def __iter__(self) -> Iterator[Frame | Passed]:
        """Yield frames, and the packets of sound and subtitles between them.

        Raises:
            ImageError: the file cannot be read any further.
        """
        for item in self._items:
            yield item if isinstance(item, Passed) else self._frame(item)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes for the user; complete when the last frame has been read."""
        notes = []
        if self._left_out:
            streams = "stream" if self._left_out == 1 else "streams"
            notes.append(f"left out: {self._left_out} {streams} of other kinds (data, covers, …)")
        if self._damaged:
            notes.append(f"damaged packets skipped: {self._damaged}")
        if self._is_cut:
            notes.append(
                f"the file is cut off: it ends after {float(self._end_s):.1f} s"
                f" of {float(self._duration_s):.1f}"
            )
        return tuple(notes)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _first_video(self) -> VideoStream:
        cover = self._av.stream.Disposition.attached_pic
        stream: VideoStream
        for stream in self._container.streams.video:
            if not stream.disposition & cover and stream.codec_context is not None:
                return stream
        raise ImageError("there are no moving pictures in it", path=self._path)

    def _decoded(self) -> Iterator[VideoFrame | Passed]:
        try:
            for packet in self._container.demux(self.video, *self.carried):
                if packet.pts is not None:
                    end = packet.pts + (packet.duration or 0)
                    self._end_s = max(self._end_s, end * packet.time_base - self._start_s)
                if packet.stream.index == self.video.index:
                    yield from self._pictures(packet)
                elif packet.dts is not None:  # without, it is only a sign that the stream ends
                    yield Passed(packet)
        except self._av.FFmpegError as error:
            raise ImageError(f"cannot read on: {_reason(error)}", path=self._path) from error
        allowed = max(_MISSING_S, _MISSING_SHARE * self._duration_s)
        self._is_cut = self._duration_s - self._end_s > allowed

    def _pictures(self, packet: Any) -> list[VideoFrame]:  # noqa: ANN401 - PyAV's own union
        try:
            return list(self.video.decode(packet))
        except self._av.error.InvalidDataError:  # players go on with the next one, too
            self._damaged += 1
            return []

    def _learn(self, frame: VideoFrame) -> None:
        """Read from the first frame what holds for all."""
        if frame.interlaced_frame:
            what = "interlaced video is not supported"
            raise ImageError(what, path=self._path, hint=_DEINTERLACE)
        name = frame.format.name
        layout = layout_of(name) or layout_of(_substitute(frame))
        if layout is None:
            raise ImageError(f"pictures in {name} are not supported", path=self._path)
        self._layout = layout
        colorspace, range_ = int(frame.colorspace), int(frame.color_range)
        self.colour = (colorspace, range_, int(frame.color_primaries), int(frame.color_trc))
        is_gray = layout.kind == "gray" and range_ == 0
        format = FrameFormat(
            layout,
            frame.width,
            frame.height,
            MATRICES.get(colorspace) or usual_matrix(frame.width, frame.height),
            range_ == FULL_RANGE or name.startswith("yuvj") or is_gray,
            (False, layout.steps[1] > 1),
        )
        rate = self.video.average_rate or self.video.guessed_rate
        aspect = self.video.sample_aspect_ratio
        self.header = VideoHeader(
            format,
            None if rate is None else Fraction(rate),
            None if aspect is None else Fraction(aspect),
            self._count(rate),
        )
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")  # a buffer of nine numbers
        numbers = [] if matrix is None else np.frombuffer(matrix, np.int32).tolist()
        self.turn: list[int] | None = numbers or None

    def _count(self, rate: Fraction | None) -> int | None:
        if self.video.frames:
            return self.video.frames
        if self.video.duration is not None:
            seconds = self.video.duration * self.time_base
        elif self._container.duration is not None:
            seconds = Fraction(self._container.duration, self._av.time_base)
        else:
            return None
        return None if rate is None else round(seconds * rate)

    def _frame(self, frame: VideoFrame) -> Frame:
        format, layout = self.header.format, self.header.format.layout
        if (frame.width, frame.height) != (format.width, format.height):
            what = f"its pictures become {frame.width}×{frame.height} on the way"
            raise ImageError(what, path=self._path, hint="cut the video there first")
        if layout_of(frame.format.name) != layout:
            frame = frame.reformat(format=layout.name)
        time = frame.pts if frame.pts is not None else frame.dts
        return Frame(frame_planes(frame), time=time, duration=frame.duration or None)


def _substitute(frame: VideoFrame) -> str:
    """Return a layout of ours that holds what another one does, but for transparency."""
    components = frame.format.components
    is_deep = max(component.bits for component in components) > 8
    if frame.format.is_rgb or frame.format.has_palette:
        return "rgb48le" if is_deep else "rgb24"
    if len(components) < 3:
        return "gray16le" if is_deep else "gray"
    steps = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}
    luma, chroma = components[0], components[1]
    step = (-(-luma.width // chroma.width), -(-luma.height // chroma.height))
    return f"yuv{steps.get(step, '444')}p{'10le' if is_deep else ''}"


def _reason(error: Any) -> str:  # noqa: ANN401 - PyAV's own exception
    return str(error.strerror or error).lower()
