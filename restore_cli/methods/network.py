"""Restores pictures by a network, through the engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from restore_cli.engine.options import EngineOptions
from restore_cli.imaging.image import Pixels
from restore_cli.methods.method import BytesBeside, OnTile, PixelSource
from restore_cli.methods.speed_history import Clock, remember, speed

if TYPE_CHECKING:
    from restore_cli.engine.planner import TilePlan
    from restore_cli.engine.restorer import Restorer

# Tasks whose results may be brighter or darker than their inputs.
_BRIGHTENING_TASKS = ("enhance",)

# Copies (float32) of a row of tiles that the engine holds: unfinished rows, and a few finished ones
# that are checked and handed on. Measured.
_ROW_COPIES = 1.6
# Likewise for the image at half the size: also its rows before they are restored, and the changes.
_COARSE_COPIES = 4.0


def load_restorer(model: str, options: EngineOptions, *, check: bool) -> Restorer:
    """Load a model into the engine; torch is imported here.

    Args:
        model: a name or a weights file.
        options: how the network runs.
        check: refuse results with a global colour shift.

    Raises:
        UsageError: the overlap leaves nothing of a tile.
        WeightsError: the model cannot be found or read.
        DeviceError: device or precision cannot be had.
    """
    from restore_cli.engine.restorer import Restorer

    return Restorer(model, options, check=check)


def load_network(model: str, options: EngineOptions, task: str) -> NetworkMethod:
    """Load a model as a method; see :func:`load_restorer`.

    Args:
        model: a name or a weights file.
        options: how the network runs.
        task: results are checked for a colour shift, unless this task brightens.
    """
    restorer = load_restorer(model, options, check=task not in _BRIGHTENING_TASKS)
    return NetworkMethod(restorer, options)


class NetworkMethod:
    """A network in the engine, as a :class:`~restore_cli.methods.method.Method`."""

    def __init__(self, restorer: Restorer, options: EngineOptions) -> None:
        """Take an engine that was set up by these options."""
        self._restorer = restorer
        self._is_identity = options.strength == 0
        self._variant = f"pooling {options.pooling}, tta {options.tta}"

    @property
    def model(self) -> str:
        return self._restorer.card.name

    @property
    def device(self) -> str:
        return str(self._restorer.device)

    @property
    def precision(self) -> str:
        return self._restorer.precision

    def plan(
        self, shape: tuple[int, int, int], beside: BytesBeside, limit_bytes: int | None
    ) -> NetworkPlan:
        if limit_bytes is None:
            return self._planned(shape, None)
        from restore_cli.engine.planner import fit

        height, width, channels = shape

        def beside_network(tiles: TilePlan) -> int:
            return beside(tiles.height) + _held_bytes(tiles, width, channels)

        fit(self._restorer, height, width, limit_bytes, beside_network)
        return self._planned(shape, self._restorer.max_memory_bytes)

    def least_bytes(self, shape: tuple[int, int, int], beside: BytesBeside) -> int:
        from restore_cli.engine.memory import SMALLEST_TILE
        from restore_cli.engine.planner import TilePlan

        side = 2 * SMALLEST_TILE
        tiles = TilePlan(side, side, 1, 1, self._restorer.bytes_per_pixel)
        return beside(side) + _held_bytes(tiles, *shape[1:]) + tiles.host_bytes

    def _planned(self, shape: tuple[int, int, int], share_bytes: int | None) -> NetworkPlan:
        return NetworkPlan(
            self._restorer, shape, share_bytes, self._variant, is_identity=self._is_identity
        )


class NetworkPlan:
    """A network that is set up for pictures of one shape; it remembers how fast it was.

    The tiles are chosen when somebody asks for them: small pictures need not wait for that.
    """

    def __init__(
        self,
        restorer: Restorer,
        shape: tuple[int, int, int],
        share_bytes: int | None,
        variant: str,
        *,
        is_identity: bool,
    ) -> None:
        """Choose nothing yet.

        Args:
            restorer: the engine.
            shape: of the pictures, (H, W, C).
            share_bytes: of memory, for the network's work; None: what is free.
            variant: what else changes the speed; see :func:`speed`.
            is_identity: the result is the input, without any work.
        """
        self._restorer = restorer
        self._shape = shape
        self._share_bytes = share_bytes
        self._variant = variant
        self._is_identity = is_identity

    @property
    def tiles(self) -> str:
        plan = self._tile_plan
        return f"{plan.count} of {plan.width}x{plan.height}"

    @property
    def tile_rows(self) -> int:
        return self._tile_plan.height

    @property
    def source_reads(self) -> int:
        # For the tiles, for the check of the result, and to halve it for a smaller scale.
        return 2 + (self._tile_plan.coarser is not None)

    @property
    def memory_bytes(self) -> int:
        _, width, channels = self._shape
        return _held_bytes(self._tile_plan, width, channels) + self._tile_plan.host_bytes

    def seconds(self) -> float:
        if self._is_identity:
            return 0.0
        rate = speed(self._restorer, self._tile_plan, self._variant)
        return self._tile_plan.seconds(rate)

    def restore(self, pixels: Pixels, on_tile: OnTile | None = None) -> Pixels:
        self._restorer.max_memory_bytes = self._share_bytes
        clock = Clock()
        restored = self._restorer(pixels, clock.timing(on_tile))
        self._remember(clock)
        return restored

    def restore_rows(self, source: PixelSource, on_tile: OnTile | None = None) -> Iterator[Pixels]:
        self._restorer.max_memory_bytes = self._share_bytes
        clock = Clock()
        yield from self._restorer.stream(source, clock.timing(on_tile))
        self._remember(clock)

    @cached_property
    def _tile_plan(self) -> TilePlan:
        return self._choose_tiles()

    def _choose_tiles(self) -> TilePlan:
        from restore_cli.engine.planner import plan_tiles

        height, width, _ = self._shape
        self._restorer.max_memory_bytes = self._share_bytes
        return plan_tiles(self._restorer, height, width)

    def _remember(self, clock: Clock) -> None:
        if clock.is_worth_keeping:
            # Chosen anew: the first picture may have changed the precision.
            remember(self._restorer, self._choose_tiles(), self._variant, clock)


def _held_bytes(tiles: TilePlan, width: int, channels: int) -> int:
    """Return what the engine holds of a picture of this width beside the tiles at work."""
    rows = int(_ROW_COPIES * 4 * width * channels * tiles.height)
    return rows + _coarse_bytes(tiles, width)


def _coarse_bytes(tiles: TilePlan, width: int) -> int:
    """Return what it holds of the smaller images that are restored before this one."""
    if tiles.coarser is None:
        return 0
    half = -(-width // 2)
    rows = int(_COARSE_COPIES * 4 * half * 3 * tiles.coarser.height)
    return rows + _coarse_bytes(tiles.coarser, half)
