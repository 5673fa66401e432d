"""How an image's share of the memory is set, and what restoring it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_cli.imaging.image import Image
from restore_cli.imaging.tiff.reader import TiffReader
from restore_cli.jobs.restore.memory_budget import (
    PLANNED_SHARE,
    STREAM_LIMIT_BYTES,
    Budget,
    ImageBytes,
    coarse_bytes,
    rows_bytes,
    stream_bytes,
    stream_cache_bytes,
)
from restore_cli.jobs.restore.opening import Opened, encode, long_strip
from restore_cli.jobs.restore.report import FileResult
from restore_cli.methods.speed_history import speed

if TYPE_CHECKING:
    from restore_cli.engine.planner import TilePlan
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore.options import RestoreOptions

# Until the first image is opened, and what a network needs longer the first time.
START_S = 0.6

_USABLE_SHARE = 0.8  # of the free memory
_BAND = 64  # rows that are encoded to see how fast that is


@dataclass(frozen=True, slots=True)
class Share:
    """An image's tiles, and what the process takes at its peak."""

    tiles: TilePlan
    peak_bytes: int


def share_memory(opened: Opened, restorer: Restorer, scale: int, budget: Budget) -> Share:
    """Tell the engine how much of the memory is its own for this image.

    Raises:
        DeviceError: there is too little for any tile.
    """
    image, reader = opened.image, opened.reader
    if reader is not None:
        return _share_in_parts(reader, restorer, budget)
    shape = (image.height * scale, image.width * scale, image.pixels.shape[2])
    return share_whole(ImageBytes.of(image, scale), shape, restorer, budget)


def share_whole(
    image: ImageBytes, shape: tuple[int, int, int], restorer: Restorer, budget: Budget
) -> Share:
    """Tell the engine how much memory is its own for an image that is in memory as a whole.

    Raises:
        DeviceError: there is too little for any tile.
    """
    from restore_cli.engine.planner import plan_tiles

    height, width, channels = shape

    def beside(tiles: TilePlan) -> int:
        rows = rows_bytes(width, channels, tiles.height) + _coarse_bytes(tiles, width)
        return budget.program_bytes + image.working + rows

    if budget.limit_bytes is None:
        restorer.max_memory_bytes = None
        tiles = plan_tiles(restorer, height, width)
    else:
        tiles = _fit(restorer, (height, width), budget.limit_bytes, beside, budget)
    coding = budget.program_bytes + image.coding
    return Share(tiles, max(coding, beside(tiles) + tiles.host_bytes))


def _share_in_parts(reader: TiffReader, restorer: Restorer, budget: Budget) -> Share:
    height, width, channels = reader.header.pixels.shape
    segments = reader.segments
    share = share_in_parts(
        (height, width, channels), segments.row_bytes, segments.segment_rows, restorer, budget
    )
    tile_rows = share.tiles.height
    segments.cache_bytes = stream_cache_bytes(segments.row_bytes, segments.segment_rows, tile_rows)
    return share


def share_in_parts(
    shape: tuple[int, int, int],
    stored_row_bytes: int,
    segment_rows: int,
    restorer: Restorer,
    budget: Budget,
) -> Share:
    """Tell the engine how much memory is its own for an image that is restored in parts.

    Args:
        shape: height, width and channels of colour.
        stored_row_bytes: what a row of pixels takes in the file, decoded.
        segment_rows: height of a strip or tile of the file; 0: nothing has to be decoded.
        restorer: gets its ``max_memory_bytes``.
        budget: what there is.

    Raises:
        DeviceError: there is too little for any tile.
    """
    from restore_cli.engine.memory import available_ram_bytes

    height, width, channels = shape

    def beside(tiles: TilePlan) -> int:
        cache = stream_cache_bytes(stored_row_bytes, segment_rows, tiles.height)
        rows = stream_bytes(width, channels, tiles.height, cache) + _coarse_bytes(tiles, width)
        return budget.program_bytes + rows

    limit = budget.limit_bytes
    if limit is None:
        free = int(_USABLE_SHARE * available_ram_bytes())
        usual = min(STREAM_LIMIT_BYTES, budget.program_bytes + free)
        limit = max(usual, _least(beside, restorer))  # very wide images take more
    tiles = _fit(restorer, (height, width), limit, beside, budget)
    return Share(tiles, beside(tiles) + tiles.host_bytes)


def _coarse_bytes(tiles: TilePlan, width: int) -> int:
    """Return what the coarser images take that are restored before one of this width."""
    if tiles.coarser is None:
        return 0
    half = -(-width // 2)
    return coarse_bytes(half, tiles.coarser.height) + _coarse_bytes(tiles.coarser, half)


def _least(beside: Callable[[TilePlan], int], restorer: Restorer) -> int:
    from restore_cli.engine.memory import SMALLEST_TILE
    from restore_cli.engine.planner import TilePlan

    side = 2 * SMALLEST_TILE
    tiles = TilePlan(side, side, 1, 1, restorer.bytes_per_pixel)
    return int((beside(tiles) + tiles.host_bytes) / PLANNED_SHARE) + 1


def _fit(
    restorer: Restorer,
    size: tuple[int, int],
    limit_bytes: int,
    beside: Callable[[TilePlan], int],
    budget: Budget,
) -> TilePlan:
    from restore_cli.engine.planner import MemoryTooSmallError, fit, plan_tiles

    try:
        return fit(restorer, *size, int(PLANNED_SHARE * limit_bytes), beside)
    except MemoryTooSmallError as error:
        if budget.limit_bytes is None:  # a tile the user has named; let it try
            return plan_tiles(restorer, *size)
        raise budget.too_small(int(error.need_bytes / PLANNED_SHARE) + 1) from error


def planned(
    opened: Opened, restorer: Restorer, options: RestoreOptions, budget: Budget, load_s: float
) -> FileResult:
    """Return what restoring an image will take: seconds, memory, tiles.

    Args:
        opened: the image.
        restorer: what would restore it.
        options: how.
        budget: of memory.
        load_s: how long the model took to load; 0 if another image has waited for that.

    Raises:
        DeviceError: there is too little memory.
    """
    image, scale = opened.image, options.scale
    share = share_memory(opened, restorer, scale, budget)
    variant = variant_of(options.engine.pooling, tta=options.engine.tta)
    rate = speed(restorer, share.tiles, variant) if options.engine.strength else 0.0
    start_s = (START_S + load_s) if load_s else 0.0
    reader = opened.reader
    read_s = opened.read_s if reader is None else _reading_s(reader, share.tiles)
    write_s = _writing_s(opened, options)
    tiles = share.tiles
    return FileResult(
        opened.target.source,
        opened.target.path,
        "planned",
        image.width * scale,
        image.height * scale,
        in_parts=opened.reader is not None,
        tiles=f"{tiles.count} of {tiles.width}x{tiles.height}",
        predicted_s=start_s + read_s + share.tiles.seconds(rate) + write_s,
        predicted_peak_bytes=share.peak_bytes,
    )


def variant_of(pooling: str, *, tta: bool = False) -> str:
    """Return what makes a difference to the speed beside model, machine and tiles."""
    return f"pooling {pooling}, tta {tta}"


def _reading_s(reader: TiffReader, tiles: TilePlan) -> float:
    """Return how long it takes to read a file in parts, judging by a row of tiles."""
    image = reader.header
    rows = min(tiles.height, image.height)
    middle = (image.height - rows) // 2
    started_s = time.perf_counter()
    reader.read(middle, middle + rows, 0, image.width)
    seconds = (time.perf_counter() - started_s) * image.height / rows
    # Tiles are read, what is halved for them, and the rows they become; some images are looked
    # through before.
    return seconds * (2 + (tiles.coarser is not None) + reader.may_leave_range)


def _writing_s(opened: Opened, options: RestoreOptions) -> float:
    """Return how long it takes to write the result, judging by a strip of the image."""
    strip = long_strip(_sample(opened), options.scale)
    encode(strip, opened.target, options)  # the first call also loads the codec
    started_s = time.perf_counter()
    encode(strip, opened.target, options)
    seconds = time.perf_counter() - started_s
    pixels = opened.image.width * opened.image.height * options.scale**2
    return seconds * pixels / (strip.width * strip.height)


def _sample(opened: Opened) -> Image:
    """Return an image with pixels worth encoding: those of the header are all 0."""
    image = opened.image
    if opened.reader is None:
        return image
    rows = min(_BAND, image.height)
    pixels, alpha = opened.reader.read(0, rows, 0, image.width)
    return Image(pixels, alpha, image.depth, image.metadata, image.format)
