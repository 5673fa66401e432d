"""What a :class:`~restore_cli.engine.restorer.Restorer` refuses before it loads anything."""

from __future__ import annotations

from typing import Literal

from restore_cli.errors import UsageError

_MIN_TILE = 64  # context, fade and two steps of the coarsest size rule fit in


def refuse_bad_options(
    tile: int | Literal["auto"], overlap: int | Literal["auto"], strength: float
) -> None:
    """Pass options that are in their range and go together.

    Raises:
        ValueError: one is out of its range.
        UsageError: a tile too small, or nothing of it left by the overlap.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} is not in [0, 1]")
    if overlap != "auto" and overlap < 0:
        raise ValueError(f"overlap {overlap} is negative")
    if tile == "auto" or tile == 0:
        return
    if tile < _MIN_TILE:
        raise UsageError(f"tile {tile} is neither 0 nor at least {_MIN_TILE}")
    if overlap != "auto" and tile < smallest_tile(overlap):
        hint = f"tiles of at least {smallest_tile(overlap)}, or less overlap"
        raise UsageError(f"an overlap of {overlap} leaves nothing of tiles of {tile}", hint=hint)


def smallest_tile(overlap: int) -> int:
    """Return the least tile that an overlap leaves something of."""
    return 2 * overlap + _MIN_TILE
