"""Tiles that give the same pixels as the whole image.

An output pixel depends on input pixels up to ``halo`` away. Each tile is restored with at least
that much context where it was cut out of the image, and its context is thrown away; at the border
of the image there is nothing to throw away. All tiles are of one size, so that a GPU plans once.

Source: overlap-tile strategy, Ronneberger et al. 2015, arXiv:1505.04597, fig. 2; the cross-fade,
which hides what is left of seams when the halo is less than the network's, is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

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


def restore_tiled(
    restore: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    tile: int,
    halo: int,
    fade: int = 16,
    multiple_of: int = 1,
    progress: Progress | None = None,
) -> Tensor:
    """Restore ``image`` tile by tile; the whole of it stays where it is.

    With a halo no less than the network's, the result is that of the whole image to float rounding.

    Args:
        restore: maps (1, C, h, w) to the same shape for h and w up to ``tile``, and back to the
            device of ``image``. Only tiles at the bottom and right may break the size rule.
        image: (1, C, H, W) float.
        tile: side of a tile in pixels, context included.
        halo: pixels of context an output pixel needs on each side. A network that pools over
            the whole image has none that suffices: its tiles differ from the whole.
        fade: width of the hand-over in pixels; 0 is a hard seam.
        multiple_of: the network's size rule.
        progress: called after each tile.

    Returns:
        (1, C, H, W) in the dtype of ``image``, not clamped.

    Raises:
        ValueError: a tile is no larger than what it shares with its neighbour.
    """
    rows, columns = (
        plan(size, tile=tile, halo=halo, fade=fade, multiple_of=multiple_of)
        for size in image.shape[-2:]
    )
    count = len(rows) * len(columns)
    report = progress or _no_progress
    if count == 1:
        restored = restore(image)
        report(1, 1)
        return restored
    total = torch.zeros(image.shape, dtype=image.dtype, device=image.device)
    for done, (row, column) in enumerate(itertools.product(rows, columns), start=1):
        window = restore(image[..., row.start : row.stop, column.start : column.stop])
        weights = (row.weights[:, None] * column.weights).to(image)
        place = total[..., row.kept_start : row.kept_stop, column.kept_start : column.kept_stop]
        place.addcmul_(window[..., row.kept, column.kept].to(image), weights)
        report(done, count)
    return total


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
