"""A TIFF restored window by window, from disk to disk: the same file as through memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import FORMATS, fitted
from restore_cli.imaging.image import Depth, Pixels
from restore_cli.imaging.pixels import FILL_REACH
from restore_cli.imaging.tiff.codec import Layout, to_samples
from restore_cli.imaging.tiff.reader import TiffReader
from restore_cli.imaging.tiff.writer import write_rows
from restore_cli.jobs.restore.pixels import OnTile
from restore_cli.jobs.restore.value_range import ValueRange, filled

# Colour is carried into what is transparent, and from there into what is no number.
_MARGIN = 2 * FILL_REACH
_SURVEY_SIDE = 1024  # of the windows in which an image is looked through
_FINISHED_BYTES = 16 * 2**20  # of float32 pixels that are made ready to be stored at a time


class StreamPixels(Protocol):
    """What an engine offers for images that do not fit in memory."""

    def stream(self, source: PreparedSource, progress: OnTile | None = None) -> Iterator[Pixels]:
        """Yield restored rows (h, W, C) from top to bottom."""


def open_stream(path: str | Path) -> TiffReader | None:
    """Return a file that can be read in windows; None for any other, be it damaged or no TIFF."""
    try:
        return TiffReader(path)
    except (ImageError, ValueError, MemoryError):
        return None


def restore_stream(
    reader: TiffReader,
    engine: StreamPixels,
    path: str | Path,
    on_tile: OnTile | None = None,
    *,
    bit_depth: int | None = None,
    strip_metadata: bool = False,
) -> tuple[str, ...]:
    """Write the restored image, whole or not at all, and return what the user should know.

    The file is that which ``restore_image`` and ``write_image`` give; alpha is carried, never
    restored, and colour under alpha 0 is neither read nor changed.

    Args:
        reader: the image; it may be the one that is replaced.
        engine: restores it.
        path: of the TIFF to write.
        on_tile: told after each tile how many of how many are done.
        bit_depth: 8, 16 or 32 (float); default: the source's.
        strip_metadata: write no EXIF, XMP or resolution.

    Raises:
        UsageError: no such depth.
        ImageError: the file is damaged further down, or there is nowhere to write.
        ResultError: the restored pixels cannot be right.
        DeviceError: there is not enough memory.
    """
    header, depth, notes = fitted(
        reader.header, FORMATS["tiff"], bit_depth, strip_metadata=strip_metadata
    )
    source = PreparedSource(reader)
    rows = _finished(engine.stream(source, on_tile), source, Layout.of(header, depth))
    more = write_rows(path, header, depth, rows)
    return (*header.notes, *source.values.notes, *notes, *more)


class PreparedSource:
    """An image's pixels as a network may see them: finite, in [0, 1], without hidden colour.

    Attributes:
        reader: where they come from.
        values: of the whole image.
    """

    def __init__(self, reader: TiffReader) -> None:
        """Look the whole image through, if its values may be unusual.

        Raises:
            ImageError: it is damaged further down.
        """
        self.reader = reader
        self.values = ValueRange()
        if reader.may_leave_range:
            height, width, _ = self.shape
            for window in _windows(height, width):
                self.values = self.values.joined(ValueRange.of(*self._filled(*window)))

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self.reader.header.pixels.shape
        return height, width, channels

    def read(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """Return a window, (h, w, C) float32.

        Raises:
            ImageError: that part of the file is damaged.
        """
        if not self.reader.may_leave_range and self.reader.header.alpha is None:
            return self.reader.read(top, bottom, left, right)[0]
        # What is filled is read with a margin and copied many times: never a whole row of tiles.
        side = _SURVEY_SIDE
        starts = range(left, right, side)
        parts = [self._filled(top, bottom, at, min(at + side, right))[0] for at in starts]
        pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return self.values.into_unit(pixels)

    def _filled(
        self, top: int, bottom: int, left: int, right: int
    ) -> tuple[Pixels, NDArray[np.bool_]]:
        pixels, alpha = self.reader.read(top, bottom, left, right)
        is_visible = alpha is None or bool((alpha > 0).all())
        if is_visible and (not self.reader.may_leave_range or np.isfinite(pixels).all()):
            return pixels, np.zeros(pixels.shape[:2], np.bool_)
        height, width, _ = self.shape
        above, before = min(top, _MARGIN), min(left, _MARGIN)
        wider = self.reader.read(
            top - above, min(bottom + _MARGIN, height), left - before, min(right + _MARGIN, width)
        )
        rows, columns = slice(above, above + bottom - top), slice(before, before + right - left)
        pixels, holes = filled(*wider)
        return np.ascontiguousarray(pixels[rows, columns]), holes[rows, columns]


def _windows(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    side = _SURVEY_SIDE
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield top, min(top + side, height), left, min(left + side, width)


def _finished(
    restored: Iterator[Pixels], source: PreparedSource, layout: Layout
) -> Iterator[NDArray[Any]]:
    """Yield rows as they are stored, a few at a time: each step makes copies of them."""
    row_bytes = source.shape[1] * source.shape[2] * 4
    count = max(1, _FINISHED_BYTES // row_bytes)
    top = 0
    for band in restored:
        for start in range(0, len(band), count):
            rows = band[start : start + count]
            yield _stored(rows, top, source, layout.depth)
            top += len(rows)


def _stored(rows: Pixels, top: int, source: PreparedSource, depth: Depth) -> NDArray[Any]:
    pixels = source.values.out_of_unit(rows)
    if source.reader.header.alpha is None:
        return to_samples(pixels, None, depth)
    hidden, alpha = source.reader.read(top, top + len(rows), 0, rows.shape[1])
    if alpha is not None:
        pixels = np.where(alpha > 0, pixels, hidden)
    return to_samples(pixels, alpha, depth)
