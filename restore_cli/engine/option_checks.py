"""What a :class:`~restore_cli.engine.restorer.Restorer` refuses before it loads anything."""

from __future__ import annotations

from typing import Literal

from restore_cli.errors import UsageError


def refuse_bad_options(
    tile: int | Literal["auto"],
    overlap: int | Literal["auto"],
    strength: float,
    multiple_of: int,
) -> None:
    """Pass options that are in their range and go together.

    Args:
        tile: the side asked for, in pixels; 0 is the whole image.
        overlap: the context asked for, in pixels.
        strength: share of the restored image in the result.
        multiple_of: what tiles begin at and are as long as.

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
    least = smallest_tile(multiple_of)
    if tile < least:
        raise UsageError(f"tile {tile} is neither 0 nor at least {least}")
    if overlap != "auto" and tile < (enough := smallest_tile(multiple_of, overlap)):
        hint = f"tiles of at least {enough}, or less overlap"
        raise UsageError(f"an overlap of {overlap} leaves nothing of tiles of {tile}", hint=hint)


def smallest_tile(multiple_of: int, overlap: int | Literal["auto"] = "auto") -> int:
    """Return the side of the least tile of which something is left.

    Args:
        multiple_of: see :func:`refuse_bad_options`.
        overlap: likewise; an automatic one is at most a quarter of the tile.
    """
    return 4 * multiple_of + (0 if overlap == "auto" else 2 * overlap)
