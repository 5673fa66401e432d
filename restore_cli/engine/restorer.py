"""Restorer: a model, a device, a precision and tiles as one callable, pixels in and pixels out."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models import ARCHITECTURES, RestorationModel
from models.registry import make_config, size_rule
from restore_cli.engine.backends.pytorch.runners import BatchRunner, CoreRunner, Runner
from restore_cli.engine.channels import Pixels, to_pixels, to_tensor
from restore_cli.engine.device import (
    DTYPES,
    Precision,
    autocast,
    choose_device,
    choose_precision,
)
from restore_cli.engine.fused.network import fused
from restore_cli.engine.kernels.selection import kernels_for
from restore_cli.engine.loading import for_inference, loaded, where
from restore_cli.engine.memory import (
    ENOUGH_BYTES,
    ENOUGH_PIXELS,
    SMALLEST_TILE,
    available_bytes,
    bytes_per_pixel,
    first_tile,
    with_smaller_tiles,
)
from restore_cli.engine.multi_scale import restore_scales, scale_sizes
from restore_cli.engine.option_checks import refuse_bad_options, smallest_tile
from restore_cli.engine.padding import crop_like, pad_to_multiple
from restore_cli.engine.pixel_sources import (
    ArraySource,
    MirroredSource,
    PixelSource,
    middle,
    without_border,
)
from restore_cli.engine.result_checks import ColourCheck, agrees
from restore_cli.engine.tile_layout import Layout, best_layout, sides_up_to
from restore_cli.engine.tiling import Grid, Progress, make_grid
from restore_cli.engine.tta import over_eight_views
from restore_cli.weights.card import ModelCard

Pooling = Literal["auto", "local", "global"]

_FADE = 16
# Tiles begin at multiples of this: at a quarter of the size, those are where the kernels, which
# work on 4×4 pixels, begin in the whole image, and rounding is the same.
_ALIGN = 16
# Context where nothing is measured: seeded networks of full width then differ from the whole image
# by less than one step of 8 bits.
_USUAL_CONTEXT = 96
_TRIAL_SIDE = 256  # of the crop on which bf16 is compared with fp32
_BATCH = 4  # tiles in a batch on an accelerator; not measured

log = logging.getLogger(__name__)


class Restorer:
    """Restores one image at a time; the same object serves files, folders, videos and training.

    Values are taken as they are: intensities in [0, 1] as the networks were trained on. Brighter
    ones pass, but no network has seen them; scale an image with highlights above 1 down before and
    up after. The result is neither clamped nor rounded.

    Attributes:
        card: what the model is.
        halo: pixels around it that an output pixel depends on; None is the whole image.
        device: where it runs.
        precision: of its convolutions; with ``precision="auto"`` on a CPU with bf16 the first
            image may turn this to fp32, if the two differ visibly.
        max_memory_bytes: for the network's work on the images to come; None is what is free.
    """

    def __init__(
        self,
        model: str | Path | tuple[RestorationModel, ModelCard] | None = None,
        *,
        device: str = "auto",
        precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto",
        tile: int | Literal["auto"] = "auto",
        overlap: int | Literal["auto"] = "auto",
        pooling: Pooling = "auto",
        tta: bool = False,
        strength: float = 1.0,
        max_memory_bytes: int | None = None,
        check: bool = True,
    ) -> None:
        """Load a model, or take one as it is.

        Args:
            model: a name, a weights file, or a network with its card; None is the default for
                deblurring. A network given is copied as it is now, and left alone; ``auto`` is
                then the device that it is on.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            precision: ``auto`` is the fastest that keeps the result.
            tile: longest side of a tile in pixels, context included; 0 is the whole image. When
                memory runs out, smaller ones are tried, whatever this says.
            overlap: context on each side of a tile in pixels; with ``halo``, tiles equal the
                whole image. ``auto`` is what was measured to be enough for the weights, else 96,
                and never more than the halo or a quarter of the tile.
            pooling: where a network with channel attention (MPRNet, MIRNet) takes its means:
                ``local`` over windows as large as its training patches, ``global`` over the
                whole image or tile. ``auto`` is local: tiles then agree, and large images are
                restored as well as patches. Other networks are as they are.
            tta: average over eight flips and turns, in eight times the time.
            strength: 0 is the input, 1 the restored image, a blend between.
            max_memory_bytes: for the network's work; None is what is free, at most 2 GiB.
            check: refuse results with a global colour shift.

        Raises:
            ValueError: an option out of its range.
            UsageError: a tile too small, or nothing of it left by the overlap.
            WeightsError: the model cannot be found or read.
            DeviceError: device or precision cannot be had.
        """
        self.device = choose_device(where(model) if device == "auto" else device)
        self.precision: Precision = choose_precision(self.device, precision)
        network, self.card = loaded(model)
        architecture = ARCHITECTURES[self.card.architecture]
        config = make_config(self.card.architecture, self.card.config)
        self.multiple_of = size_rule(self.card.architecture, self.card.config)
        self._scales = architecture.scales(config)
        self._align = math.lcm(self.multiple_of, _ALIGN)
        refuse_bad_options(tile, overlap, strength, self._align)
        self.halo = architecture.halo(config)
        window = None if pooling == "global" else architecture.patch
        if window is not None and architecture.local_halo is not None:
            self.halo = architecture.local_halo(config, window)
        self._network = for_inference(network, self.device, window)
        self._fused: dict[Precision, RestorationModel] = {}
        self._runner = _runner(self.device)
        self._config = config
        self.max_memory_bytes = max_memory_bytes
        self._tile = tile
        self._overlap = overlap
        self._tta = tta
        self._strength = strength
        self._check = check
        self._is_trial_due = (precision, self.precision) == ("auto", "bf16")
        # Prepared here rather than at the first tile, where it would add to the peak.
        self._at(self.precision)

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

        return with_smaller_tiles(whole, layout.tile, self._smallest())

    def stream(self, source: PixelSource, progress: Progress | None = None) -> Iterator[Pixels]:
        """Yield the rows of an image that need not fit in memory, from top to bottom.

        They are those that the image in memory would give. Memory holds a row of tiles.

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
        first, rest = with_smaller_tiles(begun, layout.tile, self._smallest())
        yield first
        yield from rest

    @property
    def bytes_per_pixel(self) -> int:
        """What the network needs at its peak for each pixel of a tile."""
        return bytes_per_pixel(self.card.architecture, self._config, self.precision)

    @property
    def backend(self) -> str:
        """How the network is computed, for people to read."""
        if self.device.type != "cpu":
            return f"PyTorch, batches of {self._runner.workers}"
        uses_kernels = kernels_for(DTYPES[self.precision]) is not None
        return "oneDNN and compiled kernels" if uses_kernels else "oneDNN"

    def context(self, tile: int) -> int:
        """Return the pixels of context on each inner side of a tile of this size."""
        if self._overlap != "auto":
            return self._overlap
        enough = self.card.context or _USUAL_CONTEXT
        return min(enough, tile // 4, *([] if self.halo is None else [self.halo]))

    def restore_tiles(self, tiles: Iterable[Tensor], at_once: int) -> Iterator[Tensor]:
        """Yield restored tiles in their order.

        Args:
            tiles: (1, 3, h, w) of sizes that the network takes.
            at_once: how many to work on at the same time, at most ``workers``.
        """
        restore = partial(self._run, precision=self.precision)
        return self._runner(restore, partial(self._run, precision="fp32"), tiles, at_once)

    def plan(self, height: int, width: int) -> tuple[tuple[Grid, ...], int]:
        """Return the tiles an image of this size would have now, and how many at a time.

        They are those at each of the network's scales, the finest first.
        """
        layout = self._layout(height, width)
        return self._grids(height, width, layout.tile), layout.at_once

    def _grids(self, height: int, width: int, tile: int) -> tuple[Grid, ...]:
        border = 2 * self.card.border
        make = partial(
            make_grid, tile=tile, halo=self.context(tile), fade=_fade(tile), multiple_of=self._align
        )
        sizes = scale_sizes(height + border, width + border, self._scales, self.multiple_of)
        return tuple(make(*size) for size in sizes)

    def _rows(
        self, source: PixelSource, tile: int, at_once: int, progress: Progress | None
    ) -> Iterator[Pixels]:
        """Yield restored and checked rows (h, W, C)."""
        height, width, channels = source.shape
        border = self.card.border
        bordered = MirroredSource(source, border) if border else source
        context = self.context(tile)
        needed = self.card.context or self.halo or "the whole image"
        is_short = isinstance(needed, str) or context < needed
        if is_short and tile < max(height, width):
            log.info("tiles of %d pixels see %d around them, not %s", tile, context, needed)
        self._at(self.precision)  # before several workers ask for it
        check = ColourCheck(self.card.task) if self._check else None

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            window = to_tensor(bordered.read(top, bottom, left, right))
            return pad_to_multiple(window, self.multiple_of)

        top = 0
        run = partial(self.restore_tiles, at_once=at_once)
        grids = self._grids(height, width, tile)
        restored = restore_scales(run, read, grids, self.multiple_of, progress)
        for tensor in without_border(restored, border, height):
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

    @torch.inference_mode()
    def _run(self, images: Tensor, precision: Precision, *, at_all_scales: bool = False) -> Tensor:
        """Restore (N, 3, h, w), of sizes that the network takes, on the device."""
        network = self._at(precision)
        stages = network if at_all_scales else network.at_one_scale

        def restore(image: Tensor) -> Tensor:
            return stages(image)[0]

        views = over_eight_views(restore) if self._tta else restore
        images = images.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, precision):
            return views(images).float()

    def _at(self, precision: Precision) -> RestorationModel:
        """Return the network that computes in this precision."""
        if self.device.type != "cpu":
            return self._network
        if precision not in self._fused:
            self._fused[precision] = fused(self._network, DTYPES[precision])
        return self._fused[precision]

    def _smallest(self) -> int:
        """Return the side of the smallest tiles worth a try."""
        smallest = max(SMALLEST_TILE, smallest_tile(self._align, self._overlap))
        return smallest if self._tile in ("auto", 0) else min(smallest, int(self._tile))

    def _layout(self, height: int, width: int) -> Layout:
        """Return the tiles to start with."""
        height, width = height + 2 * self.card.border, width + 2 * self.card.border
        sizes = scale_sizes(height, width, self._scales, self.multiple_of)
        smallest, longest = self._smallest(), max(chain.from_iterable(sizes))
        free = self.max_memory_bytes or min(available_bytes(self.device), ENOUGH_BYTES)

        def sides(at_once: int) -> list[int]:
            largest = first_tile(height, width, self.bytes_per_pixel, free // at_once)
            if self._tile == "auto":
                enough = ENOUGH_PIXELS * (1 if at_once > 1 else 2)
                if height * width > enough:
                    largest = min(largest, math.isqrt(enough))
                return sides_up_to(longest, smallest, largest)
            side = self._tile or longest
            return [side] if at_once == 1 or side <= largest else []

        return best_layout(
            height,
            width,
            tiles=sides,
            workers=self._runner.workers,
            can_share=self._runner.can_share,
            shared=lambda side: 2 * self.context(side) + _fade(side),
            multiple_of=self._align,
        )

    def _try_precision(self, source: PixelSource) -> None:
        """On first use, take back an automatic bf16 that changes the result."""
        if not self._is_trial_due:
            return
        self._is_trial_due = False

        def is_good(side: int) -> bool:
            crop = to_tensor(middle(source, side))
            padded = pad_to_multiple(crop, self.multiple_of).to(self.device)
            run = partial(self._run, padded, at_all_scales=True)
            results = (run(precision) for precision in (self.precision, "fp32"))
            return agrees(*(crop_like(result, crop) for result in results))

        side = _TRIAL_SIDE if self._tile in ("auto", 0) else min(_TRIAL_SIDE, int(self._tile))
        if not with_smaller_tiles(is_good, side, self._smallest()):
            log.warning("bf16 changes this model's results, computing in fp32")
            self.precision = "fp32"
        elif self.precision != "fp32":
            self._fused.pop("fp32", None)  # its ordered weights are four times as many


def _runner(device: torch.device) -> Runner:
    if device.type == "cpu":
        return CoreRunner(torch.get_num_threads())
    return BatchRunner(device, _BATCH)


def _fewer(layout: Layout, tile: int) -> int:
    """Return how many tiles to work on at a time; one, once memory has run out."""
    return layout.at_once if tile == layout.tile else 1


def _fade(tile: int) -> int:
    return min(_FADE, tile // 8)
