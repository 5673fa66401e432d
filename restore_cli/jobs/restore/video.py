"""A video in, a restored video out: frame by frame, reading ahead and writing behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.image import Pixels
from restore_cli.imaging.resizing import enlarge
from restore_cli.imaging.video.colour import corrected, from_pixels, to_pixels
from restore_cli.imaging.video.formats import VIDEO_FORMATS
from restore_cli.imaging.video.frames import Frame, FrameFormat, Passed, VideoHeader
from restore_cli.jobs.restore.memory_budget import Budget, ImageBytes
from restore_cli.jobs.restore.pixels import RestorePixels
from restore_cli.jobs.restore.prediction import START_S, share_whole, variant_of
from restore_cli.jobs.restore.read_ahead import ReadAhead, WriteBehind
from restore_cli.jobs.restore.report import FileResult
from restore_cli.jobs.restore.targets import STREAM, Target
from restore_cli.methods.speed_history import speed

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore.options import RestoreOptions
    from restore_cli.jobs.restore.prediction import Share

OnFrame = Callable[[int, float], None]  # how many are done, and how many a second


class FrameSource(Protocol):
    """Frames, and what lies between them, in the order of their stream."""

    @property
    def header(self) -> VideoHeader:
        """What is known before the first frame."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know; complete when all has been read."""

    def __iter__(self) -> Iterator[Frame | Passed]:
        """Yield them, once."""


class FrameSink(Protocol):
    """Takes frames, and what lies between them."""

    def write(self, item: Frame | Passed) -> None:
        """Write one."""


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """One video, and where its result goes.

    Attributes:
        source: its frames.
        target: where the result goes, with a suffix that fits.
        header: of the result.
        sink: gives, as a context, what takes the restored frames; the result is there when it
            ends well.
        notes: what the result lacks.
        resources: closed in the end.
    """

    source: FrameSource
    target: Target
    header: VideoHeader
    sink: Callable[[], AbstractContextManager[FrameSink]]
    notes: tuple[str, ...]
    resources: ExitStack

    def close(self) -> None:
        self.resources.close()


def restore_video(opened: OpenedVideo, engine: RestorePixels, scale: int, on_frame: OnFrame) -> int:
    """Write the restored frames, and return how many.

    The next frames are read and the last ones written while one is restored.

    Args:
        opened: the video.
        engine: restores a frame.
        scale: how many times larger each side becomes.
        on_frame: told after each frame.

    Raises:
        ImageError: the source ends too early, after what is whole has been written; or has no
            frames; or the result cannot be written.
        ResultError: a frame's restored pixels cannot be right.
        DeviceError: there is not enough memory.
        BrokenPipeError: the reader of the result has gone away.
    """
    before, after = opened.source.header.format, opened.header.format
    count = 0
    with (
        opened.sink() as sink,
        ReadAhead(opened.source, may_hang=opened.target.source == STREAM) as items,
        WriteBehind(sink.write, may_hang=opened.target.path == STREAM) as written,
    ):
        started_s = time.perf_counter()
        for item in items:
            if isinstance(item, Frame):
                item = restored_frame(item, before, after, engine, scale)
                count += 1
            written.put(item)
            if isinstance(item, Frame):
                on_frame(count, count / (time.perf_counter() - started_s))
        if not count:
            hint = "the command before the pipe gave nothing"
            raise items.error or ImageError(
                "no frames", hint=hint if opened.target.source == STREAM else "check the file"
            )
        written.finish()
    if items.error is not None:
        raise items.error
    return count


def restored_frame(
    frame: Frame, before: FrameFormat, after: FrameFormat, engine: RestorePixels, scale: int
) -> Frame:
    """Return a frame with its restored planes.

    What the network changes is added to what is there, so that a frame that it leaves alone
    stays the same, bit for bit, where its format does.

    Args:
        frame: as it was read.
        before: its format.
        after: the format to return.
        engine: gets pixels in [0, 1].
        scale: how many times larger each side becomes.
    """
    pixels = to_pixels(frame.planes, before)
    visible = enlarge(np.clip(pixels, 0, 1), scale)
    correction = np.clip(engine(visible), 0, 1) - visible
    if after == before:
        planes = corrected(frame.planes, correction, after)
    else:
        base: Pixels = pixels if scale == 1 else visible
        planes = from_pixels(base + correction, after)
    return replace(frame, planes=planes)


def share_video(opened: OpenedVideo, restorer: Restorer, budget: Budget) -> Share:
    """Tell the engine how much of the memory is its own for a frame.

    Raises:
        DeviceError: there is too little for any tile.
    """
    format = opened.header.format
    channels = opened.source.header.format.layout.channels
    size = ImageBytes.of_size(format.width, format.height, channels)
    return share_whole(size, (format.height, format.width, channels), restorer, budget)


def video_result(opened: OpenedVideo, frames: int | None, seconds: float = 0.0) -> FileResult:
    """Return what became of a video."""
    format = opened.header.format
    return FileResult(
        input=opened.target.source,
        output=opened.target.path,
        status="done",
        width=format.width,
        height=format.height,
        channels=format.layout.channels,
        depth="uint8" if format.layout.bits == 8 else "uint16",
        frames=frames,
        seconds=seconds,
        notes=(*opened.notes, *opened.source.notes),
    )


def planned_video(
    opened: OpenedVideo,
    restorer: Restorer,
    options: RestoreOptions,
    budget: Budget,
    load_s: float,
) -> FileResult:
    """Return what restoring a video will take, as far as the number of its frames is known.

    Raises:
        DeviceError: there is too little memory.
    """
    share = share_video(opened, restorer, budget)
    rate = speed(restorer, share.tiles, variant_of(options.engine.pooling, tta=options.engine.tta))
    frames = opened.source.header.frames
    start_s = (START_S + load_s) if load_s else 0.0
    tiles = share.tiles
    return replace(
        video_result(opened, frames),
        status="planned",
        tiles=f"{tiles.count} of {tiles.width}x{tiles.height}",
        predicted_s=None if frames is None else start_s + frames * tiles.seconds(rate),
        predicted_peak_bytes=share.peak_bytes,
    )


def refuse_image_options(options: RestoreOptions, output: str) -> None:
    """Pass options that mean something for a video.

    Raises:
        UsageError: one does not.
    """
    title = VIDEO_FORMATS[output].title
    if options.encoding.bit_depth is not None:
        raise UsageError(f"--bit-depth is not for {title}", hint="use --pix-fmt with raw video")
    if (
        options.raw_video.pix_fmt is not None
        and options.raw_video.size is None
        and output != "rawvideo"
    ):
        raise UsageError(f"--pix-fmt is not for {title}", hint="it goes with --format rawvideo")
