"""Restores a video frame by frame; the next frames are read and the last written meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Pixels
from restore_cli.imaging.resizing import enlarge
from restore_cli.imaging.video.colour import corrected, from_pixels, to_pixels
from restore_cli.imaging.video.frames import Frame, FrameFormat, Passed, VideoHeader
from restore_cli.jobs.restore.memory_budget import Budget, ImageBytes
from restore_cli.jobs.restore.prediction import plan_whole
from restore_cli.jobs.restore.read_ahead import ReadAhead, WriteBehind
from restore_cli.jobs.restore.targets import STREAM, Target
from restore_cli.jobs.restore.whole_image import RestorePixels
from restore_cli.jobs.restore.work import Facts, Notes, OnStep, Output, Prediction, Step
from restore_cli.methods.method import Method, MethodPlan

OnFrame = Callable[[int, float], None]  # how many are done, and how many a second


class FrameSource(Protocol):
    """Gives the frames of a video, and what the stream has between them, in order."""

    @property
    def header(self) -> VideoHeader:
        """Size, rate and format, known before the first frame."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user; complete when all has been read."""

    def __iter__(self) -> Iterator[Frame | Passed]:
        """Yield them, once."""


class FrameSink(Protocol):
    """Takes frames, and what the stream has between them, in order."""

    def write(self, item: Frame | Passed) -> None:
        """Write one."""


# A path → a context that gives the sink; the result appears when the context ends well.
Sinks = Callable[[str], AbstractContextManager[FrameSink]]


class Video:
    """A video that is open, with all checked that can be."""

    def __init__(
        self,
        source: FrameSource,
        target: Target,
        header: VideoHeader,
        sinks: Sinks,
        notes: Notes,
        resources: ExitStack,
        scale: int,
    ) -> None:
        """Take over an open video.

        Args:
            source: its frames.
            target: where the result goes, with a suffix that fits.
            header: of the result.
            sinks: opens what takes the restored frames.
            notes: what the result lacks.
            resources: closed in the end.
            scale: how many times larger each side becomes.
        """
        self.source = source
        self.target = target
        self.header = header
        self.sinks = sinks
        self.notes = notes
        self.scale = scale
        self._resources = resources

    def room_bytes(self, limit_bytes: int | None) -> int:
        return 0  # a few frames; they are read while the network works

    def load(self, budget: Budget) -> None:
        format = self.header.format
        budget.check(ImageBytes.of_size(format.width, format.height))

    def plan(self, method: Method, budget: Budget) -> PlannedVideo:
        format = self.header.format
        channels = self.source.header.format.layout.channels
        size = ImageBytes.of_size(format.width, format.height, channels)
        shape = (format.height, format.width, channels)
        plan = plan_whole(method, shape, size, budget)
        return PlannedVideo(self, plan, size, budget)

    def facts(self, frames: int | None) -> Facts:
        """Return size, channels and depth of the result, which has so many frames."""
        format = self.header.format
        depth = "uint8" if format.layout.bits == 8 else "uint16"
        return Facts(format.width, format.height, format.layout.channels, depth, frames)

    def close(self) -> None:
        self._resources.close()


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """A video with the tiles of its frames decided."""

    video: Video
    plan: MethodPlan
    frame: ImageBytes
    budget: Budget

    @property
    def facts(self) -> Facts:
        return self.video.facts(self.video.source.header.frames)

    @property
    def notes(self) -> Notes:
        return (*self.video.notes, *self.video.source.notes)

    def predict(self) -> Prediction:
        frames = self.video.source.header.frames
        seconds = None if frames is None else frames * self.plan.seconds()
        peak_bytes = self.budget.peak(self.frame, self.plan.memory_bytes)
        return Prediction(self.plan.tiles, seconds, peak_bytes)

    def restore(self, output: Output, on_step: OnStep) -> StoredVideo:
        video = self.video
        total = video.source.header.frames or 0

        def on_frame(done: int, frames_per_s: float) -> None:
            on_step(Step("frames", done, total, frames_per_s))

        with output.part_by_part() as path:
            frames = restore_video(video, self.plan.restore, path, on_frame)
        return StoredVideo(video.facts(frames), self.notes)


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A restored video that is written already."""

    facts: Facts
    notes: Notes

    def store(self, output: Output) -> Notes:
        del output  # it was written frame by frame
        return self.notes


def restore_video(video: Video, restore: RestorePixels, path: str, on_frame: OnFrame) -> int:
    """Write the restored frames, and return how many.

    Args:
        video: an open video.
        restore: restores the pixels of a frame.
        path: of the result; "-" is standard output.
        on_frame: called after each frame.

    Raises:
        ImageError: the source ends too early, after what is whole has been written; or has no
            frames; or the result cannot be written.
        ResultError: a frame's restored pixels cannot be right.
        DeviceError: there is not enough memory.
        BrokenPipeError: the reader of the result has gone away.
    """
    before, after = video.source.header.format, video.header.format
    is_stdin = video.target.source == STREAM
    count = 0
    with (
        video.sinks(path) as sink,
        ReadAhead(video.source, may_hang=is_stdin) as items,
        WriteBehind(sink.write, may_hang=path == STREAM) as written,
    ):
        started_s = time.perf_counter()
        for item in items:
            if isinstance(item, Frame):
                item = restored_frame(item, before, after, restore, video.scale)
                count += 1
            written.put(item)
            if isinstance(item, Frame):
                on_frame(count, count / (time.perf_counter() - started_s))
        if not count:
            hint = "the command before the pipe gave nothing" if is_stdin else "check the file"
            raise items.error or ImageError("no frames", hint=hint)
        written.finish()
    if items.error is not None:
        raise items.error
    return count


def restored_frame(
    frame: Frame, before: FrameFormat, after: FrameFormat, restore: RestorePixels, scale: int
) -> Frame:
    """Return a frame with restored planes.

    The network's change is added to the stored planes. So a frame that it leaves alone stays the
    same, bit for bit, if its format stays the same.

    Args:
        frame: as it was read.
        before: its format.
        after: the format to return.
        restore: restores pixels in [0, 1].
        scale: how many times larger each side becomes.
    """
    pixels = to_pixels(frame.planes, before)
    visible = enlarge(np.clip(pixels, 0, 1), scale)
    correction = np.clip(restore(visible, None), 0, 1) - visible
    if after == before:
        planes = corrected(frame.planes, correction, after)
    else:
        base: Pixels = pixels if scale == 1 else visible
        planes = from_pixels(base + correction, after)
    return replace(frame, planes=planes)
