"""Chooses the tiles of an image: their size, their context and how many at a time."""

from __future__ import annotations

import math
from functools import partial
from itertools import chain
from typing import Literal

from restore_cli.engine.backends.base import Backend
from restore_cli.engine.loading import LoadedModel
from restore_cli.engine.memory import (
    AUTO_TILE_BYTES,
    AUTO_TILE_PIXELS,
    SMALLEST_TILE,
    available_bytes,
    largest_tile,
)
from restore_cli.engine.multi_scale import scale_sizes
from restore_cli.engine.option_checks import refuse_bad_options, smallest_tile
from restore_cli.engine.options import EngineOptions
from restore_cli.engine.tile_layout import Layout, best_layout, sides_up_to
from restore_cli.engine.tiling import Grid, make_grid

_FADE = 16
# Tiles begin at multiples of this. At a quarter of the size, the kernels, which work on 4×4 pixels,
# then begin at the same pixels as in the whole image, and rounding is the same.
_ALIGN = 16
# Context where nothing is measured: seeded networks of full width then differ from the whole image
# by less than one step of 8 bits.
_USUAL_CONTEXT = 96


class TileChooser:
    """Chooses tiles for one model and one choice of options.

    Attributes:
        needed_context: pixels around a tile at which it equals the whole image; None: no number of
            pixels is enough.
    """

    def __init__(self, model: LoadedModel, options: EngineOptions) -> None:
        """Check the options; choose nothing yet.

        Raises:
            ValueError: an option out of its range.
            UsageError: a tile too small, or nothing of it left by the overlap.
        """
        self._align = math.lcm(model.multiple_of, _ALIGN)
        refuse_bad_options(options, self._align)
        self._model = model
        self._border = 2 * model.card.border
        self._tile: int | Literal["auto"] = options.tile
        self._overlap: int | Literal["auto"] = options.overlap
        self.needed_context = model.card.context or model.halo or None

    def context(self, tile: int) -> int:
        """Return the pixels of context on each inner side of a tile of this side."""
        if self._overlap != "auto":
            return self._overlap
        halo = self._model.halo
        enough = self._model.card.context or _USUAL_CONTEXT
        return min(enough, tile // 4, *([] if halo is None else [halo]))

    def smallest(self) -> int:
        """Return the side of the smallest tile to try when memory runs out."""
        smallest = max(SMALLEST_TILE, smallest_tile(self._align, self._overlap))
        return smallest if self._tile in ("auto", 0) else min(smallest, int(self._tile))

    def trial_side(self, usual: int) -> int:
        """Return the side of a crop for a trial: the usual one, or a smaller tile's."""
        return usual if self._tile in ("auto", 0) else min(usual, int(self._tile))

    def grids(self, height: int, width: int, tile: int) -> tuple[Grid, ...]:
        """Return the tiles of an image at each of the network's scales, the finest first.

        Args:
            height: of the image, in pixels, without a border.
            width: likewise.
            tile: the longest side of a tile.
        """
        make = partial(
            make_grid, tile=tile, halo=self.context(tile), fade=_fade(tile), multiple_of=self._align
        )
        return tuple(make(*size) for size in self._sizes(height, width))

    def layout(
        self, height: int, width: int, backend: Backend, max_memory_bytes: int | None
    ) -> Layout:
        """Return the side of tiles to start with, and how many at a time.

        Args:
            height: of the image, in pixels, without a border.
            width: likewise.
            backend: restores the tiles.
            max_memory_bytes: for its work; None is what is free, at most 2 GiB.
        """
        sizes = self._sizes(height, width)
        height, width = sizes[0]
        smallest, longest = self.smallest(), max(chain.from_iterable(sizes))
        free = max_memory_bytes or min(available_bytes(backend.device), AUTO_TILE_BYTES)

        def sides(at_once: int) -> list[int]:
            largest = largest_tile(height, width, backend.bytes_per_pixel, free // at_once)
            if self._tile == "auto":
                enough = AUTO_TILE_PIXELS * (1 if at_once > 1 else 2)
                if height * width > enough:
                    largest = min(largest, math.isqrt(enough))
                return sides_up_to(longest, smallest, largest)
            side = self._tile or longest
            return [side] if at_once == 1 or side <= largest else []

        return best_layout(
            height,
            width,
            tiles=sides,
            workers=backend.workers,
            can_share=backend.can_share,
            shared=lambda side: 2 * self.context(side) + _fade(side),
            multiple_of=self._align,
        )

    def _sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return height and width at each scale, the border included, the finest first."""
        model = self._model
        return scale_sizes(
            height + self._border, width + self._border, model.scales, model.multiple_of
        )


def _fade(tile: int) -> int:
    return min(_FADE, tile // 8)
