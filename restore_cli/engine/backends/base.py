"""Defines what a backend is: it computes a network's tiles.

The engine (:mod:`restore_cli.engine.restorer`) cuts an image into tiles and joins the restored
ones. A backend gets tiles and gives restored tiles. It knows nothing of files, borders or blending.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from torch import Tensor

from restore_cli.engine.device import Precision


class Backend(Protocol):
    """Restores tiles by one network on one device.

    Tiles are (1, 3, h, w) float32 on the CPU, nominally in [0, 1]; h and w are multiples of the
    network's size rule. All tiles of one call have one shape. Restored tiles have the shape, type
    and device of what was given, and are not clamped. A backend serves one call at a time; inside
    of a call it may use as many threads as torch may.
    """

    @property
    def title(self) -> str:
        """How the network is computed, for people."""

    @property
    def precision(self) -> Precision:
        """The numbers that convolutions compute with."""

    @property
    def workers(self) -> int:
        """How many tiles can be worked on at the same time, each as fast as alone."""

    @property
    def can_share(self) -> bool:
        """Whether all workers can work on one tile together instead."""

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that the network needs at its peak for each pixel of a tile at work."""

    def prepare(self) -> None:
        """Do beforehand what the first tile would wait for; called before several workers start."""

    def restore_tiles(self, tiles: Iterable[Tensor], at_once: int) -> Iterator[Tensor]:
        """Yield the restored tiles in order.

        Args:
            tiles: read only a few ahead.
            at_once: how many to hold and work on at the same time, at most ``workers``.

        Raises:
            ResultError: a tile has NaN or infinity, in fp32, too.
            torch.OutOfMemoryError, RuntimeError: out of memory; smaller tiles may do.
        """

    def is_precise(self, tile: Tensor, height: int, width: int) -> bool:
        """Return whether the precision gives the result of fp32, to at least 50 dB.

        Args:
            tile: a part of the image; it is restored at all scales.
            height: of the upper left part that counts, in pixels.
            width: likewise.
        """

    def settle(self, *, is_precise: bool) -> None:
        """Keep the precision, or compute in fp32 from now on; free what the trial needed."""
