"""Networks that restore several sizes of an image one after another, in tiles at each of them.

The same pixels as :mod:`models.coarse_to_fine` makes of a whole image: a tile needs no more context
than the network at one scale, and of the coarser images no more is held than a row of their tiles.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from models.blocks.resize import bicubic_double, bilinear_halve
from restore_cli.engine.tiling import Grid, Progress, restore_rows

# Top, bottom, left, right in pixels → that window (1, C, h, w), maybe more at bottom and right.
Read = Callable[[int, int, int, int], Tensor]
Run = Callable[[Iterable[Tensor]], Iterator[Tensor]]

_BAND = 64  # rows that are halved at a time, about
_REACH = 2  # pixels around it that a cubic interpolation looks at


def scale_sizes(height: int, width: int, scales: int, multiple_of: int) -> list[tuple[int, int]]:
    """Return height and width of an image at each scale, the finest first.

    The coarser ones are what is left of it when it is extended to multiples of ``multiple_of``.
    """
    full = [-(-side // multiple_of) * multiple_of for side in (height, width)]
    coarser = [(full[0] >> scale, full[1] >> scale) for scale in range(1, scales)]
    return [(height, width), *coarser]


def restore_scales(
    run: Run,
    read: Read,
    grids: Sequence[Grid],
    multiple_of: int,
    progress: Progress | None = None,
) -> Iterator[Tensor]:
    """Restore an image at each of its scales, and yield its rows as soon as they are finished.

    Args:
        run: yields restored tiles (1, C, h, w) in their order; begun anew, while it is busy, for
            the rows of a coarser image that a tile needs.
        read: the image, extended to what the network takes at its bottom and right.
        grids: the tiles at each scale, the finest first; see :func:`scale_sizes`.
        multiple_of: what the sides of the image are extended to.
        progress: called after each tile of any scale.

    Yields:
        (1, C, h, W), not clamped, from top to bottom.
    """
    total = sum(grid.count for grid in grids)
    done = itertools.count(1)

    def count(_done: int, _count: int) -> None:
        if progress is not None:
            progress(next(done), total)

    def at(scale: int, read: Read) -> Iterator[Tensor]:
        grid = grids[scale]
        if scale + 1 < len(grids):
            halved = _Rows(_halved(read, grid, multiple_of))
            restored = at(scale + 1, halved.reader())
            read = _Prepared(read, _Rows(_changes(restored, halved.reader()))).read
        return restore_rows(run, read, grid, count)

    return at(0, read)


class _Prepared:
    """An image with what restoring its half has changed, window by window from top to bottom."""

    def __init__(self, read: Read, changes: _Rows) -> None:
        """Read nothing yet.

        Args:
            read: the image.
            changes: of its half.
        """
        self._read = read
        self._changes = changes.reader()

    def read(self, top: int, bottom: int, left: int, right: int) -> Tensor:
        window = self._read(top, bottom, left, right)
        bottom, right = top + window.shape[-2], left + window.shape[-1]
        first, before = max(0, top // 2 - _REACH), max(0, left // 2 - _REACH)
        change = self._changes(first, bottom // 2 + _REACH, before, right // 2 + _REACH)
        top, left = top - 2 * first, left - 2 * before
        height, width = window.shape[-2:]
        return window + bicubic_double(change)[..., top : top + height, left : left + width]


class _Rows:
    """Rows of an image, made when they are first read, kept until all readers are below them."""

    def __init__(self, parts: Iterator[Tensor]) -> None:
        """Make nothing yet.

        Args:
            parts: (1, C, h, W) from top to bottom.
        """
        self._parts = parts
        self._kept: list[tuple[int, Tensor]] = []  # each with where it begins
        self._bottom = 0
        self._reached: list[int] = []  # by each reader

    def reader(self) -> Read:
        """Return what reads windows, none of which may begin above the one before."""
        place = len(self._reached)
        self._reached.append(0)

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            self._reached[place] = top
            self._drop_above(min(self._reached))
            self._make(bottom)
            parts = [
                part[..., max(0, top - begin) : max(0, bottom - begin), left:right]
                for begin, part in self._kept
            ]
            return torch.cat(parts, dim=-2)

        return read

    def _drop_above(self, top: int) -> None:
        self._kept = [(begin, part) for begin, part in self._kept if begin + part.shape[-2] > top]

    def _make(self, bottom: int) -> None:
        """Have the rows above ``bottom``, or all there are."""
        while self._bottom < bottom and (part := next(self._parts, None)) is not None:
            self._kept.append((self._bottom, part))
            self._bottom += part.shape[-2]


def _halved(read: Read, grid: Grid, multiple_of: int) -> Iterator[Tensor]:
    """Yield the rows at half the size of an image, of which the tiles say how large it is.

    All are read in bands of whole multiples but for the last, which is no shorter than one: so it
    is extended as the whole image would be.
    """
    height, width = grid.rows[-1].stop, grid.columns[-1].stop
    band = -(-_BAND // multiple_of) * multiple_of
    top = 0
    while top < height:
        bottom = top + band if height - top - band >= multiple_of else height
        yield bilinear_halve(read(top, bottom, 0, width))
        top = bottom


def _changes(restored: Iterator[Tensor], read: Read) -> Iterator[Tensor]:
    """Yield what differs in the rows of a restored image."""
    top = 0
    for rows in restored:
        bottom = top + rows.shape[-2]
        yield rows - read(top, bottom, 0, rows.shape[-1])
        top = bottom
