"""What restoring an image will take, before it is done: tiles, memory, seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from restore_cli.engine.memory import AUTO_TILE_BYTES
from restore_cli.engine.restorer import Restorer
from restore_cli.errors import MemoryTooSmallError

# Calibration: one tile on each worker, of the size to be used unless that takes longer than this.
_CALIBRATION_S = 2.0
_WARM_SIDE, _TRIAL_SIDE = 64, 128
_STEP = 32
_WIDEST = 1024

# Two batches of float32 windows on their way to a device and back, pinned too; not measured.
_FED_BYTES_PER_PIXEL = 2 * 2 * 2 * 12
_LEAST_SHARE = 2**20
_SHRINK = 0.8  # of the network's share, each time it turned out to be too much


@dataclass(frozen=True, slots=True)
class TilePlan:
    """The tiles of an image.

    Attributes:
        height: of a tile, in pixels.
        width: likewise.
        count: how many.
        at_once: how many are worked on at the same time.
        bytes_per_pixel: see ``Restorer``.
        on_host: whether they are restored in main memory.
        coarser: those of the image at half the size, if the network restores that first.
    """

    height: int
    width: int
    count: int
    at_once: int
    bytes_per_pixel: int
    on_host: bool = True
    coarser: TilePlan | None = None

    @property
    def host_bytes(self) -> int:
        """What the network needs of the main memory at its peak; on a device, to be fed."""
        need = self.bytes_per_pixel if self.on_host else _FED_BYTES_PER_PIXEL
        own = min(self.at_once, self.count) * self.height * self.width * need
        return own if self.coarser is None else max(own, self.coarser.host_bytes)

    @property
    def count_at_all_scales(self) -> int:
        """How many tiles there are with those of coarser images."""
        return self.count + (0 if self.coarser is None else self.coarser.count_at_all_scales)

    @property
    def pixels(self) -> int:
        """Pixels that go through the network, what tiles share more than once."""
        own = self.count * self.height * self.width
        return own if self.coarser is None else own + self.coarser.pixels

    def seconds(self, seconds_per_pixel: float) -> float:
        """Return how long they take.

        Args:
            seconds_per_pixel: of one tile among ``at_once``; see :func:`measure_speed`.
        """
        rounds = -(-self.count // self.at_once)
        own = rounds * self.height * self.width * seconds_per_pixel
        return own if self.coarser is None else own + self.coarser.seconds(seconds_per_pixel)


def plan_tiles(restorer: Restorer, height: int, width: int) -> TilePlan:
    """Return the tiles in which an image would be restored now."""
    grids, at_once = restorer.plan(height, width)
    on_host = restorer.device.type == "cpu"
    *finer, coarsest = grids
    make = partial(
        TilePlan, bytes_per_pixel=restorer.bytes_per_pixel, at_once=at_once, on_host=on_host
    )
    plan = make(*coarsest.tile, coarsest.count)
    for grid in reversed(finer):
        plan = make(*grid.tile, grid.count, coarser=plan)
    return plan


def fit(
    restorer: Restorer, height: int, width: int, limit_bytes: int, beside: Callable[[TilePlan], int]
) -> TilePlan:
    """Set the restorer's share of the memory so that an image fits, and return its tiles.

    Args:
        restorer: gets its ``max_memory_bytes``.
        height: of the image, in pixels.
        width: likewise.
        limit_bytes: of main memory, for everything.
        beside: tiles → bytes that everything but the network takes.

    Raises:
        MemoryTooSmallError: even the smallest tiles need more.
    """
    share = max(1, min(limit_bytes, AUTO_TILE_BYTES))
    while True:
        restorer.max_memory_bytes = share
        plan = plan_tiles(restorer, height, width)
        need = plan.host_bytes + beside(plan)
        if need <= limit_bytes:
            return plan
        if share == 1:
            raise MemoryTooSmallError(need)
        share = int(share * _SHRINK) if share > _LEAST_SHARE else 1


def measure_speed(restorer: Restorer, plan: TilePlan) -> float:
    """Return the seconds a pixel of a tile takes while all workers are busy.

    Of a tile as large as the plan's where that takes no more than a few seconds, else of its upper
    rows. For slow networks that is too little by up to 40 %: a whole tile fits no cache.
    """
    at_once = min(plan.at_once, plan.count)
    _time(restorer, _WARM_SIDE, _WARM_SIDE, at_once)
    height, width = min(plan.height, _TRIAL_SIDE), min(plan.width, _TRIAL_SIDE)
    seconds = _time(restorer, height, width, at_once)
    rate = seconds / (height * width)
    # Fewer rows, not columns: what a tile costs also hangs on how far its rows and means reach.
    wide = min(plan.width, _WIDEST)
    rows = int(_CALIBRATION_S / rate / wide) // _STEP * _STEP
    tall = min(plan.height, max(_WARM_SIDE, rows))
    seconds = _time(restorer, tall, wide, at_once)
    if seconds < _CALIBRATION_S:  # the first of a size also waits for its memory
        seconds = min(seconds, _time(restorer, tall, wide, at_once))
    return seconds / (tall * wide)


def _time(restorer: Restorer, height: int, width: int, at_once: int) -> float:
    rule = restorer.multiple_of
    shape = (1, 3, -(-height // rule) * rule, -(-width // rule) * rule)
    tiles = [torch.rand(shape, generator=torch.Generator().manual_seed(0)) for _ in range(at_once)]
    start_s = time.perf_counter()
    for _ in restorer.restore_tiles(tiles, at_once):
        pass
    return time.perf_counter() - start_s
