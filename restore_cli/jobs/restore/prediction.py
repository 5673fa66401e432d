"""Fits the tiles into the memory there is, and predicts how long writing takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from restore_cli.errors import MemoryTooSmallError
from restore_cli.imaging.image import Image
from restore_cli.imaging.options import EncodingOptions
from restore_cli.jobs.restore.memory_budget import (
    PLANNED_SHARE,
    STREAM_LIMIT_BYTES,
    Budget,
    ImageBytes,
    strips_bytes,
)
from restore_cli.jobs.restore.outputs import encode
from restore_cli.jobs.restore.targets import Target
from restore_cli.methods.method import BytesBeside, Method, MethodPlan

START_S = 0.6  # until the first image is opened, and what a network needs longer the first time

_STRIP = 64  # pixels; JPEG 2000 encodes nothing much smaller
_USABLE_SHARE = 0.8  # of the free memory


def plan_whole(
    method: Method, shape: tuple[int, int, int], image: ImageBytes, budget: Budget
) -> MethodPlan:
    """Plan an image that is in memory as a whole.

    Args:
        method: restores it.
        shape: (H, W, C) as it is restored.
        image: what it takes in memory.
        budget: of memory.

    Raises:
        DeviceError: there is too little memory for any tile.
    """

    def beside(_tile_rows: int) -> int:
        return budget.program_bytes + image.working

    return _fitted(method, shape, beside, budget.limit_bytes, budget)


@dataclass(frozen=True, slots=True)
class PlannedStrips:
    """A method set up for a file that is restored in strips, and what the process takes."""

    plan: MethodPlan
    peak_bytes: int


def plan_in_strips(
    method: Method,
    shape: tuple[int, int, int],
    stored: StoredRows,
    budget: Budget,
) -> PlannedStrips:
    """Plan an image that is restored from disk to disk.

    Args:
        method: restores it.
        shape: (H, W, C).
        stored: how its rows lie in the file.
        budget: of memory.

    Raises:
        DeviceError: there is too little memory for any tile.
    """

    def beside(tile_rows: int) -> int:
        return budget.program_bytes + strips_bytes(stored.cache_bytes(tile_rows))

    limit = budget.limit_bytes
    if limit is None:
        from restore_cli.engine.memory import available_ram_bytes

        free = int(_USABLE_SHARE * available_ram_bytes())
        usual = min(STREAM_LIMIT_BYTES, budget.program_bytes + free)
        # Very wide images take more.
        limit = max(usual, int(method.least_bytes(shape, beside) / PLANNED_SHARE) + 1)
    plan = _fitted(method, shape, beside, limit, budget)
    return PlannedStrips(plan, beside(plan.tile_rows) + plan.memory_bytes)


@dataclass(frozen=True, slots=True)
class StoredRows:
    """How the rows of an image lie in a file."""

    row_bytes: int  # of one row of pixels, decoded
    segment_rows: int  # height of a strip or tile of the file; 0: nothing has to be decoded

    def cache_bytes(self, tile_rows: int) -> int:
        """Return how much of what was decoded is worth keeping: a row of tiles and its ends.

        Args:
            tile_rows: height of a tile that is restored, in pixels.
        """
        return self.row_bytes * (tile_rows + 2 * self.segment_rows) if self.segment_rows else 0


def _fitted(
    method: Method,
    shape: tuple[int, int, int],
    beside: BytesBeside,
    limit_bytes: int | None,
    budget: Budget,
) -> MethodPlan:
    if limit_bytes is None:
        return method.plan(shape, beside, None)
    try:
        return method.plan(shape, beside, int(PLANNED_SHARE * limit_bytes))
    except MemoryTooSmallError as error:
        if budget.limit_bytes is None:  # the user has named the tile: let it try
            return method.plan(shape, beside, None)
        raise budget.too_small(int(error.need_bytes / PLANNED_SHARE) + 1) from error


def long_strip(image: Image, scale: int) -> Image:
    """Return the first rows or columns of an image, as long as its enlarged longer side."""
    shape = [scale * min(_STRIP, side) for side in (image.height, image.width)]
    longer = int(image.width > image.height)
    shape[longer] = scale * (image.height, image.width)[longer]
    # Both at once: all columns of the rows of a tall image would be all of it.
    place = np.ix_(*(np.arange(side) // scale for side in shape))
    alpha = None if image.alpha is None else image.alpha[place]
    return replace(image, pixels=image.pixels[place], alpha=alpha)


def writing_seconds(strip: Image, pixels: int, target: Target, encoding: EncodingOptions) -> float:
    """Predict how long it takes to encode a result, judging by a strip of it.

    Args:
        strip: a part of the image.
        pixels: of the whole result.
        target: where the result goes.
        encoding: how it is stored.
    """
    encode(strip, target, encoding)  # the first call also loads the codec
    started_s = time.perf_counter()
    encode(strip, target, encoding)
    seconds = time.perf_counter() - started_s
    return seconds * pixels / (strip.width * strip.height)
