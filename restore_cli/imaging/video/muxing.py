"""Writes restored frames into a video file, beside the sound and subtitles of the source."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from restore_cli.atomic import replacing
from restore_cli.errors import ImageError
from restore_cli.imaging.video.containers import ContainerReader
from restore_cli.imaging.video.formats import VIDEO_FORMATS
from restore_cli.imaging.video.frames import Frame, FrameFormat, Passed, VideoHeader, layout_of
from restore_cli.imaging.video.library import FULL_RANGE, MATRICES, frame_planes, library

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

# Looks the same as the source; about 18 for H.264.
DEFAULT_QUALITY = 66

# Tags that say what the source's container was.
_CONTAINER_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_TICKS = 90_000  # a second, for what has no times of its own


def crf(codec: str, quality: int | None) -> int:
    """Return the constant rate factor for a quality from 1 to 100 (best).

    H.264: 51 - quality / 2, which is 1 to 50. VP9: 63 - 0.6 × quality, which is 3 to 62.
    """
    value = DEFAULT_QUALITY if quality is None else quality
    return round(51 - value / 2 if codec == "libx264" else 63 - 0.6 * value)


def encodable(header: VideoHeader, output: str) -> VideoHeader:
    """Return the header with the layout nearest to its own that the encoder takes.

    Raises:
        UsageError: PyAV is not installed.
        ImageError: it takes no pictures of this size.
    """
    av, row = library(), VIDEO_FORMATS[output]
    taken = {format.name for format in av.Codec(row.codec, "w").video_formats}
    format, layout = header.format, header.format.layout
    steps = {(1, 1): "444", (1, 2): "422", (1, 4): "422"}.get(layout.steps, "420")
    if layout.kind != "yuv":  # few players show 4:4:4
        steps = "420"
    choices = [
        layout.name,
        f"yuv{steps}p10le" if layout.bits > 8 else "",
        f"yuv{steps}p",
        "yuv420p",
    ]
    name = next(choice for choice in choices if choice in taken)
    if name != layout.name:
        chosen = layout_of(name)
        if chosen is None:
            raise ValueError(name)
        format = replace(format, layout=chosen, is_cosited=(False, chosen.steps[1] > 1))
        if layout.kind != "yuv":
            format = replace(format, is_full_range=False)
    rows, columns = format.layout.steps
    if row.codec == "libx264" and (format.height % rows or format.width % columns):
        what = f"{row.title} takes no {format.width}×{format.height} in {name}"
        raise ImageError(what, hint="sides have to be even; .webm and .y4m take others")
    return replace(header, format=format)


def carried_streams(source: ContainerReader | None, output: str) -> tuple[list[int], list[str]]:
    """Return which of the source's streams are copied, and notes on the others.

    Raises:
        ImageError: the container cannot hold the sound.
    """
    if source is None:
        return [], []
    row = VIDEO_FORMATS[output]
    if not row.muxer:
        sounds = sum(stream.type == "audio" for stream in source.carried)
        return [], [f"sound is left out: {row.title} holds none"] if sounds else []
    with library().open(io.BytesIO(), "w", format=row.muxer) as probe:
        supported = probe.supported_codecs
    kept, notes = [], []
    for stream in source.carried:
        name = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if name in supported:
            kept.append(stream.index)
        elif stream.type == "audio":
            what = f"{row.title} cannot hold sound in {name}"
            raise ImageError(what, hint="write .mkv, which holds all kinds")
        else:
            notes.append(f"subtitles are left out: {row.title} cannot hold {name}")
    return kept, notes


class ContainerWriter:
    """Encodes frames and copies packets; made by ``container_writer``."""

    def __init__(
        self,
        out: OutputContainer,
        video: VideoStream,
        header: VideoHeader,
        copies: dict[int, Stream],
        time_base: Fraction,
    ) -> None:
        self._out = out
        self._video = video
        self._format = header.format
        self._copies = copies
        self._time_base = time_base
        # For frames without a time: by their rate, as one may name it, in units of time_base.
        self._step = max(1, round(1 / ((header.rate or Fraction(25)) * time_base)))
        self._last: int | None = None
        self._durations: dict[int, int] = {}  # time → duration of what the encoder holds

    def write(self, item: Frame | Passed) -> None:
        """Encode a frame, or copy a packet if its stream is carried over."""
        if isinstance(item, Passed):
            copy = self._copies.get(item.packet.stream.index)
            if copy is not None:
                item.packet.stream = copy
                self._out.mux(item.packet)
            return
        format = self._format
        frame = library().VideoFrame(format.width, format.height, format.layout.name)
        for place, plane in zip(frame_planes(frame), item.planes, strict=True):
            place[...] = plane
        after = 0 if self._last is None else self._last + self._step
        frame.pts = after if item.time is None else item.time
        if self._last is not None and frame.pts <= self._last:  # damaged; encoders insist on order
            frame.pts = self._last + 1
        self._last = frame.pts
        frame.time_base = self._time_base
        self._durations[frame.pts] = item.duration or self._step
        self._encode(frame)

    def finish(self) -> None:
        """Write the frames that the encoder still holds."""
        self._encode(None)

    def _encode(self, frame: VideoFrame | None) -> None:
        for packet in self._video.encode(frame):
            # Encoders only know a usual one, and files end with the last frame's.
            if packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            self._out.mux(packet)


@contextmanager
def container_writer(
    path: str,
    output: str,
    header: VideoHeader,
    source: ContainerReader | None,
    *,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> Iterator[ContainerWriter]:
    """Give a writer of a video file, which appears when the block ends well.

    Args:
        path: of the file.
        output: a name in VIDEO_FORMATS with a container.
        header: of the pictures, in a layout from ``encodable``.
        source: what sound, subtitles, times, rotation and tags are taken from.
        quality: 1 to 100; see ``crf``.
        strip_metadata: write no tags.

    Raises:
        ImageError: the file cannot be written.
    """
    av, row = library(), VIDEO_FORMATS[output]
    # The index comes first, so that players on the web need not wait for the end.
    options = {"movflags": "+faststart"} if row.muxer in ("mp4", "mov") else {}
    try:
        with (
            replacing(path) as file,
            av.open(file.name, "w", format=row.muxer, options=options) as out,
        ):
            time_base = Fraction(1, _TICKS) if source is None else source.time_base
            rate = header.rate or Fraction(25)
            coding = {"crf": str(crf(row.codec, quality))}
            if row.codec == "libvpx-vp9":
                coding |= {"row-mt": "1", "cpu-used": "3"}
            video = out.add_stream(row.codec, rate=rate, options=coding)
            _describe(video, header, source, time_base)
            kept, _ = carried_streams(source, output)
            copies = {} if source is None else _copies(out, source, kept, strip_metadata)
            if source is not None:
                out.set_chapters(source.chapters)
                if not strip_metadata:
                    tags = source.metadata.items()
                    out.metadata.update({k: v for k, v in tags if k not in _CONTAINER_TAGS})
                    video.metadata.update(_stream_tags(source.video))
            writer = ContainerWriter(out, video, header, copies, time_base)
            yield writer
            writer.finish()
    except av.FFmpegError as error:
        reason = str(error.strerror or error).lower()
        raise ImageError(f"cannot write the video: {reason}", path=path) from error


def _describe(
    video: VideoStream, header: VideoHeader, source: ContainerReader | None, time_base: Fraction
) -> None:
    """Describe the pictures to the encoder."""
    format = header.format
    context = video.codec_context
    video.width, video.height, video.pix_fmt = format.width, format.height, format.layout.name
    context.bit_rate = 0  # as the factor asks
    context.time_base = time_base
    video.time_base = time_base
    if header.aspect is not None:
        context.sample_aspect_ratio = header.aspect
    if source is None:
        context.colorspace = _number_of(format)
        context.color_range = FULL_RANGE if format.is_full_range else 1
        return
    if source.header.format.layout.kind == "yuv":
        context.colorspace = source.colour[0]
    else:
        context.colorspace = _number_of(format)
    is_same = source.header.format.is_full_range == format.is_full_range
    told = source.colour[1] if is_same else 0
    context.color_range = told or (FULL_RANGE if format.is_full_range else 1)
    context.color_primaries, context.color_trc = source.colour[2:]
    if source.turn is not None:
        video.set_display_matrix(source.turn)


def _number_of(format: FrameFormat) -> int:
    return next(number for number, name in MATRICES.items() if name == format.matrix)


def _copies(
    out: OutputContainer, source: ContainerReader, kept: list[int], strip_metadata: bool
) -> dict[int, Stream]:
    copies: dict[int, Stream] = {}
    for stream in source.carried:
        if stream.index in kept:
            copy: Any = out.add_stream_from_template(stream)
            copy.disposition = stream.disposition
            copy.time_base = stream.time_base
            if not strip_metadata:
                copy.metadata.update(_stream_tags(stream))
            copies[stream.index] = copy
    return copies


def _stream_tags(stream: Stream) -> dict[str, str]:
    return {k: v for k, v in stream.metadata.items() if k.lower() not in _CONTAINER_TAGS}
