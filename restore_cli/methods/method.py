"""The protocol of all methods: a method turns pixels into better pixels.

Today there is one, a network that the engine runs (:mod:`restore_cli.methods.network`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from restore_cli.imaging.image import Pixels

OnTile = Callable[[int, int], None]  # tiles done, tiles in all

# Height of a tile in pixels → bytes that the process needs for everything but the method.
BytesBeside = Callable[[int], int]


class PixelSource(Protocol):
    """An image that is read window by window; it need not fit in memory."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 1 or 3 channels."""

    def read(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """Return (bottom - top, right - left, C) float32, finite, nominally in [0, 1]."""


class MethodPlan(Protocol):
    """A method that is set up for pictures of one shape: knows its tiles, memory and time."""

    @property
    def tiles(self) -> str:
        """The tiles, for people: ``12 of 512x512``."""

    @property
    def tile_rows(self) -> int:
        """Height of a tile in pixels."""

    @property
    def source_reads(self) -> int:
        """How often :meth:`restore_rows` reads each pixel of its source."""

    @property
    def memory_bytes(self) -> int:
        """Main memory that the method needs at its peak, beside the picture itself."""

    def seconds(self) -> float:
        """Predict how long one picture takes; the first prediction may time a few tiles."""

    def restore(self, pixels: Pixels, on_tile: OnTile | None = None) -> Pixels:
        """Return the restored pixels, in the shape given and not clamped.

        Args:
            pixels: (H, W, C), in the shape that was planned.
            on_tile: called after each tile.

        Raises:
            DeviceError: out of memory at the smallest tile.
            ResultError: the restored pixels cannot be right.
        """

    def restore_rows(self, source: PixelSource, on_tile: OnTile | None = None) -> Iterator[Pixels]:
        """Yield the restored rows (h, W, C) from top to bottom; see :meth:`restore`."""


class Method(Protocol):
    """Restores pictures of any size.

    All pixels are float32, nominally in [0, 1]: (H, W, 1) grey or (H, W, 3) RGB.
    """

    @property
    def model(self) -> str:
        """Name of the model, for people."""

    @property
    def device(self) -> str:
        """Where it computes, for people."""

    @property
    def precision(self) -> str:
        """How precisely it computes, for people; may change with the first picture."""

    def plan(
        self, shape: tuple[int, int, int], beside: BytesBeside, limit_bytes: int | None
    ) -> MethodPlan:
        """Set the method up for pictures of this shape (H, W, C).

        Args:
            shape: of the picture.
            beside: what else the process needs; see ``BytesBeside``.
            limit_bytes: of main memory, for the whole process; None: what is free.

        Raises:
            MemoryTooSmallError: even the smallest tiles need more than the limit.
        """

    def least_bytes(self, shape: tuple[int, int, int], beside: BytesBeside) -> int:
        """Return the limit below which the tiles of such a picture become inefficiently small."""
