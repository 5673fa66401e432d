"""Restores images with one model: cuts them into tiles, has these restored, blends and checks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from restore_cli.engine.backends.selection import open_backend
from restore_cli.engine.channels import Pixels, to_pixels, to_tensor
from restore_cli.engine.device import Precision, choose_device, choose_precision
from restore_cli.engine.keywords import EngineKeywords
from restore_cli.engine.loading import Model, device_of, load_for_inference
from restore_cli.engine.memory import SMALLEST_TILE, with_smaller_tiles
from restore_cli.engine.multi_scale import restore_scales
from restore_cli.engine.options import EngineOptions
from restore_cli.engine.padding import crop_like, pad_to_multiple
from restore_cli.engine.pixel_sources import (
    ArraySource,
    MirroredSource,
    PixelSource,
    middle,
    without_border,
)
from restore_cli.engine.result_checks import ColourCheck, agrees
from restore_cli.engine.tile_chooser import TileChooser
from restore_cli.engine.tile_layout import Layout
from restore_cli.engine.tiling import Grid, Progress

_TRIAL_SIDE = 256  # of the crop on which bf16 is compared with fp32

log = logging.getLogger(__name__)


class Restorer:
    """Restores one image at a time; the same object serves files, folders, videos and training.

    Values are taken as they are: intensities in [0, 1] as the networks were trained on. Brighter
    ones pass, but no network has seen them; scale an image with highlights above 1 down before and
    up after. The result is neither clamped nor rounded.

    Attributes:
        card: what the model is.
        halo: pixels around it that an output pixel depends on; None is the whole image.
        multiple_of: height and width that the network takes are multiples of this.
        max_memory_bytes: for the network's work on the images to come; None is what is free.
    """

    def __init__(
        self,
        model: Model = None,
        options: EngineOptions | None = None,
        *,
        max_memory_bytes: int | None = None,
        check: bool = True,
        **changes: Unpack[EngineKeywords],
    ) -> None:
        """Load a model, or copy one from memory.

        Args:
            model: a name, a weights file, or a network with its card; None is the default for
                deblurring. A network given is copied as it is now, and left alone.
            options: of the engine; None is the default of each.
            max_memory_bytes: for the network's work; None is what is free, at most 2 GiB.
            check: refuse results with a global colour shift.
            **changes: fields of ``options`` to set:

                device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``. For a network that is
                given, ``auto`` is the device that it is on.

                precision: ``auto`` is the fastest that keeps the result.

                tile: longest side of a tile in pixels, context included; 0 is the whole image.
                Whatever this says, smaller tiles are tried when memory runs out.

                overlap: context on each side of a tile in pixels; with ``halo``, tiles equal the
                whole image. ``auto`` is what was measured to be enough for the weights, else 96,
                and never more than the halo or a quarter of the tile.

                pooling: where a network with channel attention (MPRNet, MIRNet) takes its means:
                ``local`` over windows as large as its training patches, ``global`` over the whole
                image or tile. ``auto`` is local: tiles then agree, and large images are restored
                as well as patches. Other networks are as they are.

                tta: average over eight flips and turns, in eight times the time.

                strength: 0 is the input, 1 the restored image, a blend between.

        Raises:
            ValueError: an option out of its range.
            UsageError: a tile too small, or nothing of it left by the overlap.
            WeightsError: the model cannot be found or read.
            DeviceError: device or precision cannot be had.
        """
        options = replace(options or EngineOptions(), **changes)
        device = choose_device(device_of(model) if options.device == "auto" else options.device)
        precision = choose_precision(device, options.precision)
        loaded = load_for_inference(model, options.pooling)
        self.card = loaded.card
        self.halo = loaded.halo
        self.multiple_of = loaded.multiple_of
        self.max_memory_bytes = max_memory_bytes
        self._tiles = TileChooser(loaded, options)
        self._backend = open_backend(loaded, device, precision, tta=options.tta)
        self._strength = options.strength
        self._check = check
        self._is_trial_due = (options.precision, precision) == ("auto", "bf16")

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return self._backend.device

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions.

        When it was chosen automatically, the first image may turn bf16 into fp32: if the results
        differ visibly.
        """
        return self._backend.precision

    @property
    def backend(self) -> str:
        """How the network is computed, for people to read."""
        return self._backend.name

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that the network needs at its peak for each pixel of a tile."""
        return self._backend.bytes_per_pixel

    def __call__(self, pixels: Pixels, progress: Progress | None = None) -> Pixels:
        """Return restored pixels in the shape given.

        Args:
            pixels: (H, W, 1) or (H, W, 3) float32, nominally in [0, 1], of any size.
            progress: called after each tile with how many of how many are done; starts again
                when memory ran out and the tiles become smaller.

        Raises:
            ValueError: another shape or type, or values that are not finite.
            DeviceError: out of memory at the smallest tile.
            ResultError: the restored pixels cannot be right.
        """
        source = ArraySource(pixels)
        if self._strength == 0:
            return pixels.copy()

        self._try_precision(source)
        layout = self._layout(*source.shape[:2])

        def whole(tile: int) -> Pixels:
            result = np.empty_like(pixels, order="C")
            top = 0
            for rows in self._rows(source, tile, _fewer(layout, tile), progress):
                result[top : top + len(rows)] = rows
                top += len(rows)
            return result

        return with_smaller_tiles(whole, layout.tile, self._tiles.smallest())

    def stream(self, source: PixelSource, progress: Progress | None = None) -> Iterator[Pixels]:
        """Yield the restored rows of an image from top to bottom; it need not fit in memory.

        The pixels are the same as for an image in memory. Memory holds a row of tiles.

        Args:
            source: read window by window, each part of it at least once.
            progress: called after each tile with how many of how many are done.

        Yields:
            (h, W, C) float32, the heights adding up to that of the image.

        Raises:
            DeviceError: out of memory at the smallest tile, or after the first rows.
            ResultError: the restored pixels cannot be right; known at the end for some.
        """
        height, width, _ = source.shape
        if self._strength == 0:
            for top in range(0, height, SMALLEST_TILE):
                yield source.read(top, min(top + SMALLEST_TILE, height), 0, width).copy()
            return

        def begun(tile: int) -> tuple[Pixels, Iterator[Pixels]]:
            rows = self._rows(source, tile, _fewer(layout, tile), progress)
            return next(rows), rows

        self._try_precision(source)
        layout = self._layout(height, width)
        first, rest = with_smaller_tiles(begun, layout.tile, self._tiles.smallest())
        yield first
        yield from rest

    def context(self, tile: int) -> int:
        """Return the pixels of context on each inner side of a tile of this side."""
        return self._tiles.context(tile)

    def plan(self, height: int, width: int) -> tuple[tuple[Grid, ...], int]:
        """Return the tiles an image of this size would have now, and how many at a time.

        There is a grid of tiles for each of the network's scales, the finest first.
        """
        layout = self._layout(height, width)
        return self._tiles.grids(height, width, layout.tile), layout.at_once

    def restore_tiles(self, tiles: Iterable[Tensor], at_once: int) -> Iterator[Tensor]:
        """Yield restored tiles in their order; see ``Backend.restore``.

        Args:
            tiles: (1, 3, h, w) of sizes that the network takes.
            at_once: how many to work on at the same time, as :meth:`plan` says.
        """
        return self._backend.restore(tiles, at_once)

    def _layout(self, height: int, width: int) -> Layout:
        """Return the tiles to start with."""
        return self._tiles.layout(height, width, self._backend, self.max_memory_bytes)

    def _rows(
        self, source: PixelSource, tile: int, at_once: int, progress: Progress | None
    ) -> Iterator[Pixels]:
        """Yield restored and checked rows (h, W, C)."""
        _, width, channels = source.shape
        check = ColourCheck(self.card.task) if self._check else None
        top = 0
        for tensor in self._restored(source, tile, at_once, progress):
            rows = to_pixels(tensor, channels)
            if check is not None or self._strength < 1:
                before = source.read(top, top + len(rows), 0, width)
                if check is not None:
                    check.add(before, rows)
                if self._strength < 1:
                    rows = before + np.float32(self._strength) * (rows - before)
            yield rows
            top += len(rows)
        if check is not None:
            check.finish()

    def _restored(
        self, source: PixelSource, tile: int, at_once: int, progress: Progress | None
    ) -> Iterator[Tensor]:
        """Yield rows (1, 3, h, W) as the network gives them."""
        height, width, _ = source.shape
        border = self.card.border
        bordered = MirroredSource(source, border) if border else source
        context, needed = self.context(tile), self._tiles.needed_context
        if (needed is None or context < needed) and tile < max(height, width):
            wanted = needed or "the whole image"
            log.info("tiles of %d pixels see %d around them, not %s", tile, context, wanted)

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            window = to_tensor(bordered.read(top, bottom, left, right))
            return pad_to_multiple(window, self.multiple_of)

        run = partial(self._backend.restore, at_once=at_once)
        grids = self._tiles.grids(height, width, tile)
        restored = restore_scales(run, read, grids, self.multiple_of, progress)
        return without_border(restored, border, height)

    def _try_precision(self, source: PixelSource) -> None:
        """Go back to fp32 before the first image if an automatic bf16 changes the result."""
        if not self._is_trial_due:
            return
        self._is_trial_due = False

        def is_good(side: int) -> bool:
            crop = to_tensor(middle(source, side))
            results = self._backend.compare_with_fp32(pad_to_multiple(crop, self.multiple_of))
            return agrees(*(crop_like(result, crop) for result in results))

        side = self._tiles.trial_side(_TRIAL_SIDE)
        if with_smaller_tiles(is_good, side, self._tiles.smallest()):
            self._backend.use_precision(self.precision)
        else:
            log.warning("bf16 changes this model's results, computing in fp32")
            self._backend.use_precision("fp32")


def _fewer(layout: Layout, tile: int) -> int:
    """Return how many tiles to work on at a time; one, once memory has run out."""
    return layout.at_once if tile == layout.tile else 1
