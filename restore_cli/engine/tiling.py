"""Tiles that give the same pixels as the whole image.

An output pixel depends on input pixels up to ``halo`` away. Each tile is restored with at least
that much context where it was cut out of the image, and its context is thrown away; at the border
of the image there is nothing to throw away. All tiles are of one size, so that a GPU plans once.

Source: overlap-tile strategy, Ronneberger et al. 2015, arXiv:1505.04597, fig. 2; the cross-fade,
which hides what is left of seams when the halo is less than the network's, is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

_BAND = 64  # finished rows that are handed on at a time; each step makes copies of them

Progress = Callable[[int, int], None]  # tiles done, tiles in all


@dataclass(frozen=True, slots=True)
class Span:
    """One tile's part of one axis, in pixels of the image."""

    start: int  # what the network sees …
    stop: int
    kept_start: int  # … and what of it is used
    kept_stop: int
    weights: Tensor  # (kept_stop - kept_start,); the weights of all spans sum to 1 everywhere

    @property
    def kept(self) -> slice:
        """The used part, counted in the tile."""
        return slice(self.kept_start - self.start, self.kept_stop - self.start)


def tile_starts(size: int, tile: int, shared: int, multiple_of: int = 1) -> tuple[list[int], int]:
    """Return where tiles begin along one axis, and how long each is.

    As few tiles as possible, then as short as possible: no slivers. Starts and length are multiples
    of ``multiple_of``; only the last tile may reach beyond ``size``, by less than ``multiple_of``.

    Args:
        size: length of the axis.
        tile: the longest a tile may be.
        shared: pixels that neighbours have in common, at least.
        multiple_of: the network's size rule; its pyramids shift if tiles start elsewhere.

    Raises:
        ValueError: a tile is no larger than what it shares.
    """
    if size <= tile:
        return [0], size
    # From here on in units of multiple_of.
    units, longest, common = -(-size // multiple_of), tile // multiple_of, -(-shared // multiple_of)
    if longest <= common:
        raise ValueError(f"a tile of {tile} pixels is no larger than the {shared} it shares")
    count = max(1, -(-(units - common) // (longest - common)))
    length = common + -(-(units - common) // count)
    last = units - length
    starts = [index * last // (count - 1) for index in range(count)] if count > 1 else [0]
    return [start * multiple_of for start in starts], length * multiple_of


def plan(
    size: int, *, tile: int, halo: int, fade: int = 16, multiple_of: int = 1
) -> tuple[Span, ...]:
    """Return the tiles along one axis; an image's tiles are those of its rows times its columns.

    Args:
        size: length of the axis in pixels.
        tile: the longest a tile may be, context included.
        halo: context to throw away where a tile does not end with the image.
        fade: pixels over which one tile hands over to the next linearly; 0 is a hard seam.
        multiple_of: the network's size rule.

    Raises:
        ValueError: a tile is no larger than what it shares with its neighbour, 2 * halo + fade.
    """
    starts, length = tile_starts(size, tile, 2 * halo + fade, multiple_of)
    bounds = [(start, min(start + length, size)) for start in starts]
    kept = [
        (start + halo if start > 0 else 0, stop - halo if stop < size else size)
        for start, stop in bounds
    ]
    ramps = [_ramp(begin, end, size, fade) for begin, end in kept]
    total = torch.zeros(size)
    for (begin, end), ramp in zip(kept, ramps, strict=True):
        total[begin:end] += ramp
    return tuple(
        Span(start, stop, begin, end, ramp / total[begin:end])
        for (start, stop), (begin, end), ramp in zip(bounds, kept, ramps, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Grid:
    """The tiles of an image: those of its rows times those of its columns."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return len(self.rows) * len(self.columns)

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of the tiles."""
        row, column = self.rows[0], self.columns[0]
        return row.stop - row.start, column.stop - column.start


def make_grid(
    height: int, width: int, *, tile: int, halo: int, fade: int = 16, multiple_of: int = 1
) -> Grid:
    """Return the tiles of an image; see :func:`plan`, which does it for one axis.

    Raises:
        ValueError: a tile is no larger than what it shares with its neighbour.
    """
    rows, columns = (
        plan(size, tile=tile, halo=halo, fade=fade, multiple_of=multiple_of)
        for size in (height, width)
    )
    return Grid(rows, columns)


def restore_rows(
    run: Callable[[Iterable[Tensor]], Iterator[Tensor]],
    read: Callable[[int, int, int, int], Tensor],
    grid: Grid,
    progress: Progress | None = None,
) -> Iterator[Tensor]:
    """Restore an image tile by tile, and yield its rows as soon as they are finished.

    With a halo no less than the network's, the result is that of the whole image to float rounding.
    No more is held than one row of tiles and those that ``run`` works on.

    Args:
        run: yields the restored tiles (1, C, h, w) in the order of those it is given; they may
            come back larger at bottom and right.
        read: top, bottom, left and right in pixels → that window (1, C, h, w) float.
        grid: the tiles.
        progress: called after each tile.

    Yields:
        (1, C, h, W) in the dtype of the tiles, not clamped, from top to bottom.
    """
    report = progress or _no_progress
    tiles = list(itertools.product(grid.rows, grid.columns))
    restored = run(read(row.start, row.stop, col.start, col.stop) for row, col in tiles)
    width = grid.columns[-1].stop
    # The rows that are not finished, the first of them at ``top``; one buffer for the whole image.
    held: Tensor | None = None
    top, done = 0, 0
    for row, following in zip(grid.rows, [*grid.rows[1:], None], strict=True):
        for column in grid.columns:
            window = next(restored)[..., row.kept, column.kept]
            if held is None:
                held = window.new_zeros(*window.shape[:2], _most_held(grid.rows), width)
            rows = slice(row.kept_start - top, row.kept_stop - top)
            place = held[..., rows, column.kept_start : column.kept_stop]
            weights = row.weights[:, None] * column.weights
            place.addcmul_(window, weights.to(window))
            done += 1
            report(done, grid.count)
        if held is not None:
            finished = (row.stop if following is None else following.kept_start) - top
            for first in range(0, finished, _BAND):
                yield held[..., first : min(first + _BAND, finished), :].clone()
            _move_up(held, finished)
            top += finished


def _most_held(rows: tuple[Span, ...]) -> int:
    """Return how many rows are not finished at most: what a tile adds to, until the next begins."""
    tops = [0, *(row.kept_start for row in rows[1:])]
    return max(row.kept_stop - top for top, row in zip(tops, rows, strict=True))


def _move_up(held: Tensor, finished: int) -> None:
    """Move what is below the finished rows to the top, and leave zeros under it."""
    rest = held[..., finished:, :].clone()  # the two may overlap
    held[..., : rest.shape[-2], :] = rest
    held[..., rest.shape[-2] :, :] = 0


def _ramp(begin: int, end: int, size: int, fade: int) -> Tensor:
    """Return weights over [begin, end): 1, falling to 0 over ``fade`` at inner ends; no sum yet."""
    position = torch.arange(begin, end) + 0.5
    weights = torch.ones(end - begin)
    if fade and begin > 0:
        weights = weights.minimum((position - begin) / fade)
    if fade and end < size:
        weights = weights.minimum((end - position) / fade)
    return weights


def _no_progress(done: int, count: int) -> None:
    pass
