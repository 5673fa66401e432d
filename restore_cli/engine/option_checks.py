"""Refuses options of the engine that are out of range or do not go together."""

from __future__ import annotations

from typing import Literal

from restore_cli.engine.options import EngineOptions
from restore_cli.errors import UsageError


def refuse_bad_options(options: EngineOptions, multiple_of: int) -> None:
    """Raise an error if an option is out of its range or contradicts another.

    Args:
        options: tile, overlap and strength are looked at.
        multiple_of: tiles begin at multiples of this, and are multiples of it long.

    Raises:
        ValueError: one is out of its range.
        UsageError: a tile is too small, or the overlap leaves nothing of it.
    """
    tile, overlap = options.tile, options.overlap
    if not 0 <= options.strength <= 1:
        raise ValueError(f"strength {options.strength} is not in [0, 1]")
    if overlap != "auto" and overlap < 0:
        raise ValueError(f"overlap {overlap} is negative")
    if tile == "auto" or tile == 0:
        return
    least = smallest_tile(multiple_of)
    if tile < least:
        raise UsageError(f"tile {tile} is neither 0 nor at least {least}")
    if overlap != "auto" and tile < (enough := smallest_tile(multiple_of, overlap)):
        hint = f"tiles of at least {enough}, or less overlap"
        raise UsageError(f"an overlap of {overlap} leaves nothing of tiles of {tile}", hint=hint)


def smallest_tile(multiple_of: int, overlap: int | Literal["auto"] = "auto") -> int:
    """Return the side of the smallest tile that keeps some pixels when its context is cut off.

    Args:
        multiple_of: see :func:`refuse_bad_options`.
        overlap: context on each side in pixels; an automatic one is at most a quarter of the tile.
    """
    return 4 * multiple_of + (0 if overlap == "auto" else 2 * overlap)
