"""An input as it is opened: all that can be checked before the network works."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import decode_image, encode_with_notes, output_format, read_image
from restore_cli.imaging.image import Image
from restore_cli.imaging.limits import VARIABLE, also_checked, check_size
from restore_cli.imaging.pipes import read_stdin
from restore_cli.imaging.tiff.reader import TiffReader
from restore_cli.jobs.restore.memory_budget import STREAM_PIXELS, ImageBytes
from restore_cli.jobs.restore.targets import STREAM, Target, check_source, check_target, with_suffix
from restore_cli.jobs.restore.tiff_strips import open_stream

if TYPE_CHECKING:
    from restore_cli.jobs.restore.options import RestoreOptions

STRIP = 64  # pixels; JPEG 2000 encodes nothing much smaller


class Memory(Protocol):
    """Knows how much memory there is for images."""

    def fits(self, image: ImageBytes) -> bool:
        """Say whether an image may be loaded as a whole."""

    def check(self, image: ImageBytes) -> None:
        """Pass an image that may be loaded as a whole.

        Raises:
            DeviceError: it may not.
        """


@dataclass(frozen=True, slots=True)
class Opened:
    """One input, and where its result goes.

    Attributes:
        image: the whole image, or with a ``reader`` its header only.
        target: where the result goes, with a suffix that fits.
        reader: what gives the image in parts.
        read_s: how long it took to load the image.
    """

    image: Image
    target: Target
    reader: TiffReader | None = None
    read_s: float = 0.0

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()


def open_input(target: Target, options: RestoreOptions, memory: Memory) -> Opened:
    """Open an input after all that can be checked beforehand.

    Raises:
        ImageError: it cannot be read, or its result not be written.
        UsageError: the format of the result does not hold what is asked for.
        DeviceError: it takes more memory than there may be.
    """
    check_source(target.source)
    check_target(target, overwrite=options.writing.overwrite)
    with ExitStack() as on_failure:
        started_s = time.perf_counter()
        reader = open_in_parts(target, options, memory)
        if reader is None:
            image = _whole(target.source, options.scale, memory)
        else:
            on_failure.callback(reader.close)
            image = reader.header
        read_s = time.perf_counter() - started_s
        check_enlarged(image, options.scale)
        target = with_suffix(target, output_format(image, requested=options.encoding.format))
        check_target(target, overwrite=options.writing.overwrite)
        # What the format cannot hold fails before the network has worked.
        encode(long_strip(image, options.scale), target, options)
        on_failure.pop_all()
    return Opened(image, target, reader, read_s)


def encode(image: Image, target: Target, options: RestoreOptions) -> tuple[bytes, tuple[str, ...]]:
    """Return the file to write, and what the user should know about it.

    Raises:
        ImageError: the format does not take the image.
        UsageError: it does not hold what is asked for.
    """
    return encode_with_notes(
        image,
        format=output_format(image, target.path, options.encoding.format),
        quality=options.encoding.quality,
        bit_depth=options.encoding.bit_depth,
        strip_metadata=options.encoding.strip_metadata,
        name="<stdout>" if target.path == STREAM else target.path,
    )


def long_strip(image: Image, scale: int) -> Image:
    """Return the first rows or columns of an image, as long as its enlarged longer side."""
    shape = [scale * min(STRIP, side) for side in (image.height, image.width)]
    longer = int(image.width > image.height)
    shape[longer] = scale * (image.height, image.width)[longer]
    # Both at once: all columns of the rows of a tall image would be all of it.
    place = np.ix_(*(np.arange(side) // scale for side in shape))
    alpha = None if image.alpha is None else image.alpha[place]
    return replace(image, pixels=image.pixels[place], alpha=alpha)


def open_in_parts(target: Target, options: RestoreOptions, memory: Memory) -> TiffReader | None:
    """Return a TIFF that is to become one in parts; None for what goes through memory."""
    # The whole image in one tile, or enlarged, is in memory anyway.
    if STREAM in (target.source, target.path) or options.engine.tile == 0 or options.scale != 1:
        return None
    with ExitStack() as otherwise:
        reader = open_stream(target.source)
        if reader is None:
            return None
        otherwise.callback(reader.close)
        image = reader.header
        named = with_suffix(target, output_format(image, requested=options.encoding.format))
        is_tiff = output_format(image, named.path, options.encoding.format) == "tiff"
        is_large = image.width * image.height > STREAM_PIXELS
        if is_tiff and (is_large or not memory.fits(ImageBytes.of(image))):
            otherwise.pop_all()
            return reader
    return None


def _whole(source: str, scale: int, memory: Memory) -> Image:
    def check(width: int, height: int) -> None:
        memory.check(ImageBytes.of_size(width * scale, height * scale))

    with also_checked(check):
        return decode_image(read_stdin()) if source == STREAM else read_image(source)


def check_enlarged(image: Image, scale: int) -> None:
    """Pass an image whose enlarged pixels are no more than any image may have.

    Raises:
        ImageError: they are.
    """
    if scale == 1:
        return
    width, height = image.width * scale, image.height * scale
    try:
        check_size(width, height)
    except ImageError as error:
        hint = f"try a smaller --scale, or set {VARIABLE}={width * height}"
        raise ImageError(f"enlarged {scale} times, {error.what}", hint=hint) from error
