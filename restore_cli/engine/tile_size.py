"""How large tiles should be for an image to be done soonest."""

from __future__ import annotations

from collections.abc import Callable

from restore_cli.engine.tiling import tile_starts

_STEP = 32
# Of several threads on one tile against as many workers on tiles of their own; measured on two
# cores that had nothing else to do.
_SHARING_EFFICIENCY = 0.85


def best_tile(
    height: int,
    width: int,
    *,
    smallest: int,
    largest: int,
    at_once: int,
    shared: Callable[[int], int],
    multiple_of: int,
) -> int:
    """Return the side of the tiles that take the least time.

    Large tiles waste less on what neighbours share; but every worker should have one, and none
    should be left over for a last round.

    Args:
        height: of the image, in pixels.
        width: likewise.
        smallest: side that is worth a try.
        largest: side that memory allows.
        at_once: tiles that are worked on at the same time, each no slower than alone. A single
            tile is shared among all.
        shared: side of a tile → pixels that it has in common with its neighbour.
        multiple_of: the network's size rule.
    """

    def cost(tile: int) -> float:
        rows, tall = tile_starts(height, tile, shared(tile), multiple_of)
        columns, wide = tile_starts(width, tile, shared(tile), multiple_of)
        if len(rows) == len(columns) == 1:
            return tall * wide / max(1.0, _SHARING_EFFICIENCY * at_once)
        rounds = -(-len(rows) * len(columns) // at_once)
        return rounds * tall * wide

    whole = max(height, width)
    sides: list[int] = [
        *range(smallest, min(largest, whole), _STEP),
        min(largest, max(whole, smallest)),
    ]
    # Of those that take as long, the largest: fewer seams.
    return min(reversed(sides), key=cost)
