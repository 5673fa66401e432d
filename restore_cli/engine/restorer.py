"""Restorer: a model, a device, a precision and tiles as one callable, pixels in and pixels out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models import ARCHITECTURES, RestorationModel
from models.pooling import set_pooling
from models.registry import make_config
from restore_cli.engine.channels import Pixels, to_pixels, to_tensor
from restore_cli.engine.checks import agrees, check_colour, finite_or_again
from restore_cli.engine.device import Precision, autocast, choose_device, choose_precision
from restore_cli.engine.memory import (
    ENOUGH_BYTES,
    SMALLEST_TILE,
    available_bytes,
    bytes_per_pixel,
    first_tile,
    with_smaller_tiles,
)
from restore_cli.engine.padding import crop_like, pad_to_multiple
from restore_cli.engine.tiling import Progress, restore_tiled
from restore_cli.engine.tta import over_eight_views
from restore_cli.errors import UsageError
from restore_cli.weights.card import ModelCard
from restore_cli.weights.catalog import default_for
from restore_cli.weights.files import load_model
from restore_cli.weights.store import locate

Pooling = Literal["auto", "local", "global"]

_FADE = 16
_MIN_TILE = 64  # context, fade and two steps of the coarsest size rule fit in
_TRIAL_SIDE = 256  # of the crop on which bf16 is compared with fp32

log = logging.getLogger(__name__)


class Restorer:
    """Restores one array at a time; the same object serves files, folders, videos and training.

    Values are taken as they are: intensities in [0, 1] as the networks were trained on. Brighter
    ones pass, but no network has seen them; scale an image with highlights above 1 down before and
    up after. The result is neither clamped nor rounded.

    Attributes:
        card: what the model is.
        halo: pixels around it that an output pixel depends on; None is the whole image.
        device: where it runs.
        precision: of its convolutions; with ``precision="auto"`` on a CPU with bf16 the first
            image may turn this to fp32, if the two differ visibly.
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
                deblurring. A network given is moved to ``device`` (``auto``: it stays where it is)
                and otherwise left alone, its training mode too.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            precision: ``auto`` is the fastest that keeps the result.
            tile: longest side of a tile in pixels, context included; 0 is the whole image. When
                memory runs out, smaller ones are tried, whatever this says.
            overlap: context on each side of a tile in pixels. ``auto`` is what makes tiles equal
                the whole image, or a quarter of the tile if that is less.
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
        _refuse_bad_options(tile, overlap, strength)
        self.device = choose_device(_where(model) if device == "auto" else device)
        self.precision: Precision = choose_precision(self.device, precision)
        self._network, self.card = _loaded(model, self.device)
        architecture = ARCHITECTURES[self.card.architecture]
        config = make_config(self.card.architecture, self.card.config)
        self.multiple_of = architecture.multiple_of
        self.halo = architecture.halo(config)
        self._window = None if pooling == "global" else architecture.patch
        if self._window is not None and architecture.local_halo is not None:
            self.halo = architecture.local_halo(config, self._window)
        self._bytes_per_pixel = bytes_per_pixel(self.card.architecture, config)
        self._max_memory_bytes = max_memory_bytes
        self._tile = tile
        self._overlap = overlap
        self._strength = strength
        self._check = check
        self._restore = over_eight_views(self._network.restore) if tta else self._network.restore
        self._is_trial_due = (precision, self.precision) == ("auto", "bf16")

    @torch.inference_mode()
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
        image = to_tensor(pixels)
        if not np.isfinite(pixels).all():
            raise ValueError("pixels are not all finite")
        if self._strength == 0:
            return pixels.copy()
        with _evaluating(self._network, self._window):
            self._try_precision(image)
            restored = with_smaller_tiles(
                lambda tile: self._tiled(image, tile, progress), *self._tile_sizes(image)
            )
        result = to_pixels(restored, pixels.shape[2])
        if self._check:
            check_colour(pixels, result, self.card.task)
        if self._strength < 1:
            return pixels + np.float32(self._strength) * (result - pixels)
        return result.copy() if np.may_share_memory(result, pixels) else result

    def context(self, tile: int) -> int:
        """Return the pixels of context on each inner side of a tile of this size."""
        if self._overlap != "auto":
            return self._overlap
        return tile // 4 if self.halo is None else min(self.halo, tile // 4)

    def _tiled(self, image: Tensor, tile: int, progress: Progress | None) -> Tensor:
        context = self.context(tile)
        is_short = self.halo is None or context < self.halo
        if is_short and tile < max(image.shape[-2:]):
            needed = "the whole image" if self.halo is None else self.halo
            log.info("tiles of %d pixels see %d around them, not %s", tile, context, needed)
        return restore_tiled(
            self._restore_tile,
            image,
            tile=tile,
            halo=context,
            fade=min(_FADE, tile // 8),
            multiple_of=self.multiple_of,
            progress=progress,
        )

    def _restore_tile(self, tile: Tensor) -> Tensor:
        """Restore (1, 3, h, w) from the CPU back to it; any size."""
        padded = pad_to_multiple(tile, self.multiple_of)
        padded = padded.to(self.device, memory_format=torch.channels_last)
        restored = finite_or_again(
            self._run(padded, self.precision), lambda: self._run(padded, "fp32")
        )
        return crop_like(restored, tile).cpu()

    def _run(self, image: Tensor, precision: Precision) -> Tensor:
        with autocast(self.device, precision):
            return self._restore(image).float()

    def _tile_sizes(self, image: Tensor) -> tuple[int, int]:
        """Return the side of the tiles to start with, and that of the smallest worth a try."""
        height, width = image.shape[-2:]
        smallest = SMALLEST_TILE
        if self._overlap != "auto":
            smallest = max(smallest, _smallest_tile(self._overlap))
        if self._tile == 0:
            return max(height, width), smallest
        if self._tile != "auto":
            return self._tile, min(smallest, self._tile)
        free = self._max_memory_bytes or min(available_bytes(self.device), ENOUGH_BYTES)
        return max(first_tile(height, width, self._bytes_per_pixel, free), smallest), smallest

    def _try_precision(self, image: Tensor) -> None:
        """On first use, take back an automatic bf16 that changes the result."""
        if not self._is_trial_due:
            return
        self._is_trial_due = False
        top, left = (max(0, side - _TRIAL_SIDE) // 2 for side in image.shape[-2:])
        crop = image[..., top : top + _TRIAL_SIDE, left : left + _TRIAL_SIDE]
        padded = pad_to_multiple(crop, self.multiple_of).to(self.device)
        if not agrees(self._run(padded, self.precision), self._run(padded, "fp32")):
            log.warning("bf16 changes this model's results, computing in fp32")
            self.precision = "fp32"


def _loaded(
    model: str | Path | tuple[RestorationModel, ModelCard] | None, device: torch.device
) -> tuple[RestorationModel, ModelCard]:
    if isinstance(model, tuple):
        network, card = model
        return network.to(device), card
    network, card = load_model(locate(default_for("deblur").name if model is None else model))
    # Measured on CPUs too: channels_last is 5 to 25 % faster for MIMO-UNet.
    return network.to(device, memory_format=torch.channels_last), card  # type: ignore[call-overload]


def _where(model: object) -> str:
    """Return the device of a network that was handed in, else ``auto``."""
    if isinstance(model, tuple):
        for parameter in model[0].parameters():
            return str(parameter.device)
    return "auto"


def _refuse_bad_options(
    tile: int | Literal["auto"], overlap: int | Literal["auto"], strength: float
) -> None:
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} is not in [0, 1]")
    if overlap != "auto" and overlap < 0:
        raise ValueError(f"overlap {overlap} is negative")
    if tile == "auto" or tile == 0:
        return
    if tile < _MIN_TILE:
        raise UsageError(f"tile {tile} is neither 0 nor at least {_MIN_TILE}")
    if overlap != "auto" and tile < _smallest_tile(overlap):
        hint = f"tiles of at least {_smallest_tile(overlap)}, or less overlap"
        raise UsageError(f"an overlap of {overlap} leaves nothing of tiles of {tile}", hint=hint)


def _smallest_tile(overlap: int) -> int:
    """Return the least tile that an overlap leaves something of."""
    return 2 * overlap + _MIN_TILE


@contextlib.contextmanager
def _evaluating(network: RestorationModel, window: int | None) -> Iterator[None]:
    """Switch to eval mode and local means, and each part back to how it was trained."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    set_pooling(network, window)
    try:
        yield
    finally:
        set_pooling(network, None)
        for module, was_training in modes:
            module.training = was_training
