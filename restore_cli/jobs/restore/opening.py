"""Picks the kind of work that an input needs: a video, a TIFF in strips, or a whole image.

This is the only place that tells the kinds apart.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import output_format
from restore_cli.jobs.restore.memory_budget import STREAM_PIXELS, ImageBytes
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.jobs.restore.targets import Target, with_suffix
from restore_cli.jobs.restore.tiff_strips import TiffStrips, open_tiff
from restore_cli.jobs.restore.video import Video
from restore_cli.jobs.restore.video_files import open_video
from restore_cli.jobs.restore.whole_image import WholeImage
from restore_cli.jobs.restore.work import Input, Work


class Memory(Protocol):
    """Knows how much memory there is for images."""

    def fits(self, image: ImageBytes) -> bool:
        """Return whether an image may be loaded as a whole."""


def open_work(source: Input, target: Target, options: RestoreOptions, memory: Memory) -> Work:
    """Open an input as the kind of work that it needs; its pixels are not read yet.

    Args:
        source: the input.
        target: where its result goes.
        options: how to restore.
        memory: decides whether a TIFF may be loaded as a whole.

    Raises:
        ImageError: it cannot be read, or its result not be written.
        UsageError: options that do not go with it.
    """
    if source.taken_for != "image":
        video = _open_video(source, target, options)
        if video is not None:
            return video
    strips = _open_strips(source, target, options, memory)
    if strips is not None:
        return strips
    return WholeImage(source, target, options.encoding, options.scale)


def _open_video(source: Input, target: Target, options: RestoreOptions) -> Video | None:
    encoding = options.encoding
    if source.taken_for == "video":
        if source.path is None or not target.is_on_disk:
            raise ImageError("videos go from disk to disk only", path=source.name)
        # Found among photos: --format and --bit-depth are for those.
        encoding = replace(encoding, format=None, bit_depth=None)
    video = open_video(target, encoding, options.raw_video, options.scale)
    if video is None and source.taken_for == "video":
        raise ImageError("not a video", path=source.name)
    return video


def _open_strips(
    source: Input, target: Target, options: RestoreOptions, memory: Memory
) -> TiffStrips | None:
    """Return a TIFF that becomes a TIFF in strips; None for what goes through memory."""
    # The whole image in one tile, or enlarged, is in memory anyway.
    is_whole = options.engine.tile == 0 or options.scale != 1
    if is_whole or source.path is None or not target.is_on_disk:
        return None
    with ExitStack() as otherwise:
        reader = open_tiff(source.path)
        if reader is None:
            return None
        otherwise.callback(reader.close)
        image = reader.header
        encoding = options.encoding
        named = with_suffix(target, output_format(image, requested=encoding.format))
        is_tiff = output_format(image, named.path, encoding.format) == "tiff"
        is_large = image.width * image.height > STREAM_PIXELS
        if is_tiff and (is_large or not memory.fits(ImageBytes.of(image))):
            otherwise.pop_all()
            return TiffStrips(reader, named, encoding)
    return None
