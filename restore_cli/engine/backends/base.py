"""Says what the engine needs of a library that computes networks: the :class:`Backend`.

A backend gets tiles and gives back restored tiles. It knows nothing of images, files or seams: the
engine cuts an image into tiles, extends them to a size that the network takes, blends the results
and checks them. To add a backend, write a class with these members in a package beside this file,
and choose it in :mod:`restore_cli.engine.backends.selection`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from restore_cli.engine.device import Precision


class Backend(Protocol):
    """Computes one network on one device.

    Threads: the engine calls a backend from one thread at a time. What runs on other threads inside
    a backend is its own matter.

    Out of memory: any method may raise ``torch.OutOfMemoryError`` or ``MemoryError``, or a
    ``RuntimeError`` with one of the messages in :mod:`restore_cli.engine.memory`. The engine then
    calls :meth:`restore` again with smaller tiles. By then the backend must hold no tiles.
    """

    @property
    def name(self) -> str:
        """The library and how it computes, for people to read; see ``restore bench``.

        Measured speeds are remembered under this name. It changes with the precision where that
        changes how the library computes.
        """

    @property
    def device(self) -> torch.device:
        """Where the network runs. Type ``cpu`` means that it works in main memory."""

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions."""

    @property
    def workers(self) -> int:
        """How many tiles it can restore at the same time, 1 or more."""

    @property
    def can_share(self) -> bool:
        """Whether all workers can share one tile, which is then done sooner."""

    @property
    def bytes_per_pixel(self) -> int:
        """Memory needed at the peak, in bytes for each pixel of each tile at work."""

    def restore(self, tiles: Iterable[Tensor], at_once: int) -> Iterator[Tensor]:
        """Yield restored tiles in the order of the tiles given.

        A second call may begin before the first has ended: a network with several scales restores
        the smaller image while a tile of the larger one waits for it.

        Args:
            tiles: (1, 3, h, w) float32 on the CPU, intensities nominally in [0, 1]. Both sides are
                multiples of what the network takes. All have one shape, except that those at the
                bottom and right edge of an image may be smaller. Read in the caller's thread, only
                a few ahead of what was yielded; must not be written to.
            at_once: how many to hold and work on at the same time, 1 to ``workers``.

        Yields:
            (1, 3, h, w) float32 on the CPU, finite, not clamped.

        Raises:
            ResultError: a tile has values that are not finite, in fp32 as well.
        """

    def compare_with_fp32(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Restore an image in ``precision`` and in fp32, at all scales of the network.

        The engine compares the two before it trusts a precision that nobody asked for.

        Args:
            image: as the tiles of :meth:`restore`.

        Returns:
            Both results, (1, 3, h, w) float32 on the CPU, finite or not.
        """

    def use_precision(self, precision: Precision) -> None:
        """Compute in this precision from now on, and free what only another one needs."""
