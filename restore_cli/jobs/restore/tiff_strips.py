"""Restores a TIFF window by window, from disk to disk: the same file as through memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import FORMATS
from restore_cli.imaging.image import Depth, Pixels
from restore_cli.imaging.options import EncodingOptions
from restore_cli.imaging.pixels import FILL_REACH
from restore_cli.imaging.tiff.layout import Layout, to_samples
from restore_cli.imaging.tiff.reader import TiffReader
from restore_cli.imaging.tiff.writer import write_rows
from restore_cli.imaging.writing import fitted
from restore_cli.jobs.restore.memory_budget import Budget
from restore_cli.jobs.restore.outputs import encode
from restore_cli.jobs.restore.prediction import (
    PlannedStrips,
    StoredRows,
    long_strip,
    plan_in_strips,
    writing_seconds,
)
from restore_cli.jobs.restore.targets import Target
from restore_cli.jobs.restore.value_range import ValueRange, filled
from restore_cli.jobs.restore.whole_image import facts_of
from restore_cli.jobs.restore.work import Facts, Notes, OnStep, Output, Prediction, Step
from restore_cli.methods.method import Method, MethodPlan, OnTile, PixelSource

# Colour is carried into what is transparent, and from there into what is no number.
_MARGIN = 2 * FILL_REACH
_SURVEY_SIDE = 1024  # side of the windows in which the value range is searched
_FINISHED_BYTES = 16 * 2**20  # of float32 pixels that are converted at a time
_SAMPLE_ROWS = 64  # rows that are encoded to predict how long writing takes


# A source and a progress function → restored rows (h, W, C) from top to bottom.
RestoreRows = Callable[[PixelSource, OnTile | None], Iterator[Pixels]]


class TiffStrips:
    """A TIFF that is restored from disk to disk, and never in memory as a whole."""

    def __init__(self, reader: TiffReader, target: Target, encoding: EncodingOptions) -> None:
        """Take over an open file.

        Args:
            reader: reads it window by window; closed by ``close``.
            target: where the result goes: a TIFF on a disk.
            encoding: how the result is stored.
        """
        self.target = target
        self._reader = reader
        self._encoding = encoding

    def room_bytes(self, limit_bytes: int | None) -> int:
        return limit_bytes or 0  # with a limit it has all the memory, and is alone

    def load(self, budget: Budget) -> None:
        del budget  # nothing is read yet
        # What the format cannot hold fails before the network has worked.
        encode(long_strip(self._reader.header, 1), self.target, self._encoding)

    def plan(self, method: Method, budget: Budget) -> PlannedTiffStrips:
        segments = self._reader.segments
        stored = StoredRows(segments.row_bytes, segments.segment_rows)
        shape = self._reader.header.pixels.shape
        planned = plan_in_strips(method, (shape[0], shape[1], shape[2]), stored, budget)
        segments.cache_bytes = stored.cache_bytes(planned.plan.tile_rows)
        return PlannedTiffStrips(self._reader, self.target, self._encoding, planned)

    def close(self) -> None:
        self._reader.close()


@dataclass(frozen=True, slots=True)
class PlannedTiffStrips:
    """A TIFF in strips, with its tiles decided."""

    reader: TiffReader
    target: Target
    encoding: EncodingOptions
    planned: PlannedStrips

    @property
    def facts(self) -> Facts:
        return facts_of(self.reader.header, in_parts=True)

    @property
    def notes(self) -> Notes:
        return ()

    def predict(self) -> Prediction:
        plan, header = self.planned.plan, self.reader.header
        rows = min(_SAMPLE_ROWS, header.height)
        pixels, alpha = self.reader.read(0, rows, 0, header.width)
        # The header's own pixels are all 0, which no encoder takes long for.
        sample = replace(header, pixels=pixels, alpha=alpha)
        write_s = writing_seconds(
            long_strip(sample, 1), header.width * header.height, self.target, self.encoding
        )
        seconds = self._reading_seconds(plan) + plan.seconds() + write_s
        return Prediction(plan.tiles, seconds, self.planned.peak_bytes)

    def _reading_seconds(self, plan: MethodPlan) -> float:
        """Predict how long it takes to read the file, judging by a row of tiles."""
        height, width = self.reader.header.height, self.reader.header.width
        rows = min(plan.tile_rows, height)
        middle = (height - rows) // 2
        started_s = time.perf_counter()
        self.reader.read(middle, middle + rows, 0, width)
        seconds = (time.perf_counter() - started_s) * height / rows
        # Some images are searched for unusual values before.
        return seconds * (plan.source_reads + self.reader.may_leave_range)

    def restore(self, output: Output, on_step: OnStep) -> StoredStrips:
        def on_tile(done: int, total: int) -> None:
            on_step(Step("tiles", done, total))

        with output.part_by_part() as path:
            notes = restore_strips(
                self.reader, self.planned.plan.restore_rows, path, self.encoding, on_tile
            )
        return StoredStrips(self.facts, notes)


@dataclass(frozen=True, slots=True)
class StoredStrips:
    """A restored TIFF that is written already."""

    facts: Facts
    notes: Notes

    def store(self, output: Output) -> Notes:
        del output  # it was written strip by strip
        return self.notes


def open_tiff(path: str | Path) -> TiffReader | None:
    """Return a file that can be read in windows; None for any other, be it damaged or no TIFF."""
    try:
        return TiffReader(path)
    except (ImageError, ValueError, MemoryError):
        return None


def restore_strips(
    reader: TiffReader,
    restore_rows: RestoreRows,
    path: str | Path,
    encoding: EncodingOptions,
    on_tile: OnTile | None = None,
) -> Notes:
    """Write the restored image, whole or not at all, and return what the user should know.

    The file is the same as if the image had gone through memory as a whole. Alpha is carried, never
    restored. Colour under alpha 0 is neither read nor changed.

    Args:
        reader: the image; it may be the one that is replaced.
        restore_rows: restores it.
        path: of the TIFF to write.
        encoding: how it is stored.
        on_tile: called after each tile.

    Raises:
        UsageError: TIFF does not hold such a depth.
        ImageError: the file is damaged further down, or there is nowhere to write.
        ResultError: the restored pixels cannot be right.
        DeviceError: there is not enough memory.
    """
    header, depth, notes = fitted(
        reader.header,
        FORMATS["tiff"],
        encoding.bit_depth,
        strip_metadata=encoding.strip_metadata,
    )
    source = PreparedSource(reader)
    rows = _finished(restore_rows(source, on_tile), source, Layout.of(header, depth))
    more = write_rows(path, header, depth, rows)
    return (*header.notes, *source.values.notes, *notes, *more)


class PreparedSource:
    """Reads an image's pixels as a network may see them: finite, in [0, 1], no hidden colour.

    Attributes:
        reader: the file.
        values: the range of the whole image's values.
    """

    def __init__(self, reader: TiffReader) -> None:
        """Search the whole image for unusual values, if it may have any.

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
    """Yield rows as they are stored, a few at a time, since each step copies them."""
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
