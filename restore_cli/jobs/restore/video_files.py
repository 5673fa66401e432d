"""Opens videos: files in containers, Y4M and raw frames; checks all that can be checked before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from restore_cli.errors import UsageError
from restore_cli.imaging.options import EncodingOptions
from restore_cli.imaging.video.containers import ContainerReader
from restore_cli.imaging.video.formats import (
    HEAD_BYTES,
    SUBSTITUTE,
    VIDEO_FORMATS,
    VIDEO_SUFFIXES,
    first_bytes,
    is_video,
    video_format,
    written_format,
)
from restore_cli.imaging.video.frames import VideoHeader
from restore_cli.imaging.video.muxing import carried_streams, container_writer, encodable
from restore_cli.imaging.video.rawvideo import DEFAULT_LAYOUT, RawReader, RawWriter, raw_format
from restore_cli.imaging.video.streams import input_bytes, output_bytes, peek_stdin
from restore_cli.imaging.video.y4m import MAGIC, Y4mReader, Y4mWriter, space_of
from restore_cli.jobs.restore.options import RawVideoOptions
from restore_cli.jobs.restore.targets import STREAM, Target
from restore_cli.jobs.restore.video import FrameSink, FrameSource, Video

CONTAINER = "container"  # a file that holds a video beside sound and more


def open_video(
    target: Target, encoding: EncodingOptions, raw: RawVideoOptions, scale: int
) -> Video | None:
    """Open an input that is a video; return None for any other.

    Args:
        target: the input, and where its result goes.
        encoding: how the result is stored.
        raw: describes raw video.
        scale: how many times larger each side becomes.

    Raises:
        ImageError: it cannot be read, or its result not be written.
        UsageError: raw video needs a size that is not told, or another video is told one.
    """
    own = _kind(target.source, encoding.format, raw)
    if own is None:
        return None
    with ExitStack() as resources:
        source = _source(target.source, own, raw, resources)
        output = _output(target, own, encoding.format)
        _refuse_image_options(output, encoding, raw)
        if not target.explicit:
            suffix = VIDEO_FORMATS[output].suffixes[0]
            if video_format(Path(target.path).suffix) != output:
                target = replace(target, path=str(Path(target.path).with_suffix(suffix)))
        header = _result(source.header, own, output, raw.pix_fmt, scale)
        sinks = partial(_sink, output=output, header=header, source=source, encoding=encoding)
        container = source if isinstance(source, ContainerReader) else None
        notes = (*_lost(source, header, output), *carried_streams(container, output)[1])
        return Video(source, target, header, sinks, notes, resources.pop_all(), scale)


def _refuse_image_options(output: str, encoding: EncodingOptions, raw: RawVideoOptions) -> None:
    """Refuse options that mean nothing for a video.

    Raises:
        UsageError: one is set.
    """
    title = VIDEO_FORMATS[output].title
    if encoding.bit_depth is not None:
        raise UsageError(f"--bit-depth is not for {title}", hint="use --pix-fmt with raw video")
    if raw.pix_fmt is not None and raw.size is None and output != "rawvideo":
        raise UsageError(f"--pix-fmt is not for {title}", hint="it goes with --format rawvideo")


def _output(target: Target, own: str, requested: str | None) -> str:
    """Return the name in VIDEO_FORMATS of the format to write.

    Raises:
        ImageError: no video is written like this.
        UsageError: not through a pipe.
    """
    if own == CONTAINER:
        suffix = video_format(Path(target.source).suffix)
        own = "y4m" if target.path == STREAM else (suffix or SUBSTITUTE)
    path = target.path if target.explicit else STREAM
    output = written_format(path, requested, own)
    if target.path == STREAM and VIDEO_FORMATS[output].muxer:
        what = f"{VIDEO_FORMATS[output].title} cannot be written to a pipe"
        raise UsageError(what, hint="use -o FILE, or --format y4m")
    return output


def _kind(path: str, requested: str | None, raw: RawVideoOptions) -> str | None:
    """Return "y4m", "rawvideo" or CONTAINER; None for what is no video.

    Raises:
        UsageError: it is raw video, and its size is not told; or it is not, and that is.
    """
    head = peek_stdin(HEAD_BYTES) if path == STREAM else first_bytes(path)
    is_y4m = bool(head) and MAGIC.startswith(head[: len(MAGIC)])
    is_raw = not is_y4m and (
        raw.size is not None
        or VIDEO_SUFFIXES.get(Path(path).suffix.lower()) == "rawvideo"
        or (path == STREAM and requested == "rawvideo")
    )
    if is_raw and raw.size is None:
        hint = "add --size WIDTHxHEIGHT"
        raise UsageError("raw frames do not tell how large they are", hint=hint)
    if is_y4m and raw.size is not None:
        raise UsageError("--size is for raw video; this video tells its own")
    if is_raw:
        return "rawvideo"
    if is_y4m:
        return "y4m"
    if path == STREAM and is_video(head):
        hint = "name the file, or pipe ffmpeg -f yuv4mpegpipe"
        raise UsageError("video files are not read from a pipe", hint=hint)
    return CONTAINER if is_video(head, path) else None


@contextmanager
def _sink(
    path: str, *, output: str, header: VideoHeader, source: FrameSource, encoding: EncodingOptions
) -> Iterator[FrameSink]:
    if not VIDEO_FORMATS[output].muxer:
        with output_bytes(path) as write:
            yield Y4mWriter(write, header) if output == "y4m" else RawWriter(write)
        return
    with container_writer(
        path,
        output,
        header,
        source if isinstance(source, ContainerReader) else None,
        quality=encoding.quality,
        strip_metadata=encoding.strip_metadata,
    ) as writer:
        yield writer


def _lost(source: FrameSource, header: VideoHeader, output: str) -> Iterator[str]:
    """Yield notes on what the result cannot hold of the pictures."""
    title = VIDEO_FORMATS[output].title
    before, after = source.header.format.layout, header.format.layout
    if after.bits < before.bits:
        yield f"{before.bits} bits become {after.bits}: {title} holds no more"
    is_turned = isinstance(source, ContainerReader) and source.turn is not None
    if is_turned and not VIDEO_FORMATS[output].muxer:
        yield f"the pictures lie on their side: {title} cannot say how to turn them"


def _source(path: str, own: str, raw: RawVideoOptions, resources: ExitStack) -> FrameSource:
    if own == CONTAINER:
        container = ContainerReader(path)
        resources.callback(container.close)
        return container
    read, size = resources.enter_context(input_bytes(path))
    if own == "y4m":
        return Y4mReader(read, size)
    width, height = raw.size or (0, 0)
    return RawReader(read, raw_format(width, height, raw.pix_fmt), size)


def _result(
    header: VideoHeader, own: str, output: str, pix_fmt: str | None, scale: int
) -> VideoHeader:
    """Return the header of the result."""
    format = header.format
    name = format.layout.name
    if output == "rawvideo" and own != "rawvideo":
        name = pix_fmt or DEFAULT_LAYOUT
    if output == "y4m" and space_of(format) is None:
        name = "yuv444p" if format.layout.bits == 8 else "yuv444p16le"
    if name != format.layout.name:
        format = raw_format(format.width, format.height, name)
        header = replace(header, tags=())
    header = replace(header, format=format.scaled(scale))
    return encodable(header, output) if VIDEO_FORMATS[output].muxer else header
