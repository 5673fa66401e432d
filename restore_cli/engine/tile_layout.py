"""How large tiles should be, and how many at a time, for an image to be done soonest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from restore_cli.engine.tiling import tile_starts

_STEP = 32
# Of all cores on one tile against as many tiles with a core each. As good on an idle machine; where
# other programs run, cores that share a tile wait for the slowest of them.
_SHARING_EFFICIENCY = 0.9


@dataclass(frozen=True, slots=True)
class Layout:
    """The side of tiles in pixels, and how many are worked on at the same time."""

    tile: int
    at_once: int


def best_layout(
    height: int,
    width: int,
    *,
    tiles: Callable[[int], Iterable[int]],
    workers: int,
    can_share: bool,
    shared: Callable[[int], int],
    multiple_of: int,
) -> Layout:
    """Return the layout that takes the least time.

    Large tiles waste less on what neighbours share, and are larger the fewer are held at a time;
    but where there are several workers, none should be left over for a last round.

    Args:
        height: of the image, in pixels.
        width: likewise.
        tiles: how many at a time → sides of tiles to choose from.
        workers: how many tiles can be worked on at the same time, each no slower than alone.
        can_share: whether all workers can work on one tile instead.
        shared: side of a tile → pixels that it has in common with its neighbour.
        multiple_of: the network's size rule.
    """

    def cost(layout: Layout) -> float:
        rows, tall = tile_starts(height, layout.tile, shared(layout.tile), multiple_of)
        columns, wide = tile_starts(width, layout.tile, shared(layout.tile), multiple_of)
        count, area = len(rows) * len(columns), tall * wide
        if can_share and min(layout.at_once, count) == 1:
            return count * area / max(1.0, _SHARING_EFFICIENCY * workers)
        return float(-(-count // layout.at_once) * area)

    several = [Layout(tile, workers) for tile in tiles(workers)]
    single = [Layout(tile, 1) for tile in tiles(1)] if can_share or not several else []
    # Of those that take as long, the largest: fewer seams.
    return min(sorted(several + single, key=lambda layout: -layout.tile), key=cost)


def sides_up_to(longest: int, smallest: int, largest: int) -> list[int]:
    """Return the sides of tiles to choose from.

    Args:
        longest: side of the image, in pixels.
        smallest: side that is worth a try.
        largest: side that memory allows.
    """
    last = max(smallest, min(largest, longest))
    return [*range(smallest, last, _STEP), last]
