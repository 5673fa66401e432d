"""Computes a network with PyTorch, on a CPU with our compiled kernels where there are some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from models import RestorationModel
from restore_cli.engine.backends.pytorch.runners import BatchRunner, CoreRunner, Runner
from restore_cli.engine.backends.pytorch.tile_memory import bytes_per_pixel
from restore_cli.engine.device import DTYPES, Precision, autocast
from restore_cli.engine.fused.network import fused
from restore_cli.engine.kernels.selection import kernels_for
from restore_cli.engine.loading import LoadedModel
from restore_cli.engine.tta import over_eight_views

_BATCH = 4  # tiles in a batch on an accelerator; not measured


class PyTorchBackend:
    """The :class:`~restore_cli.engine.backends.base.Backend` for every device that PyTorch has.

    On a CPU each core restores a tile of its own, by a copy of the network with fewer passes over
    memory (:mod:`restore_cli.engine.fused`). Other devices take batches of tiles.
    """

    def __init__(
        self, model: LoadedModel, device: torch.device, precision: Precision, *, tta: bool
    ) -> None:
        """Move the network to the device and prepare it.

        Args:
            model: its network is changed in place.
            device: where to compute.
            precision: number format of the convolutions.
            tta: average over eight flips and turns.
        """
        # Measured on CPUs too: channels_last is 5 to 25 % faster for MIMO-UNet.
        self._network: RestorationModel = model.network.to(  # type: ignore[call-overload]
            device, memory_format=torch.channels_last
        )
        self._architecture = model.card.architecture
        self._config = model.config
        self._device = device
        self._precision = precision
        self._tta = tta
        self._runner = _choose_runner(device)
        self._fused: dict[Precision, RestorationModel] = {}
        # Prepared here rather than at the first tile, where it would add to the peak.
        self._network_for(precision)

    @property
    def name(self) -> str:
        if self._device.type != "cpu":
            return f"PyTorch, batches of {self._runner.workers}"
        uses_kernels = kernels_for(DTYPES[self._precision]) is not None
        return "oneDNN and compiled kernels" if uses_kernels else "oneDNN"

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def precision(self) -> Precision:
        return self._precision

    @property
    def workers(self) -> int:
        return self._runner.workers

    @property
    def can_share(self) -> bool:
        return self._runner.can_share

    @property
    def bytes_per_pixel(self) -> int:
        return bytes_per_pixel(self._architecture, self._config, self._precision)

    def restore(self, tiles: Iterable[Tensor], at_once: int) -> Iterator[Tensor]:
        restore = partial(self._restore_batch, precision=self._precision)
        in_fp32 = partial(self._restore_batch, precision="fp32")
        return self._runner(restore, in_fp32, tiles, at_once)

    def compare_with_fp32(self, image: Tensor) -> tuple[Tensor, Tensor]:
        on_device = image.to(self._device)
        result, in_fp32 = (
            self._restore_batch(on_device, precision, at_all_scales=True).cpu()
            for precision in (self._precision, "fp32")
        )
        return result, in_fp32

    def use_precision(self, precision: Precision) -> None:
        self._precision = precision
        self._network_for(precision)
        # Weights ordered for the kernels are four times as large.
        for other in [name for name in self._fused if name != precision]:
            del self._fused[other]

    @torch.inference_mode()
    def _restore_batch(
        self, images: Tensor, precision: Precision, *, at_all_scales: bool = False
    ) -> Tensor:
        """Restore (N, 3, h, w), of sizes that the network takes, on the device."""
        network = self._network_for(precision)
        stages = network if at_all_scales else network.at_one_scale

        def restore(image: Tensor) -> Tensor:
            return stages(image)[0]

        views = over_eight_views(restore) if self._tta else restore
        images = images.contiguous(memory_format=torch.channels_last)
        with autocast(self._device, precision):
            return views(images).float()

    def _network_for(self, precision: Precision) -> RestorationModel:
        """Return the network that computes in this precision."""
        if self._device.type != "cpu":
            return self._network
        if precision not in self._fused:
            self._fused[precision] = fused(self._network, DTYPES[precision])
        return self._fused[precision]


def _choose_runner(device: torch.device) -> Runner:
    if device.type == "cpu":
        return CoreRunner(torch.get_num_threads())
    return BatchRunner(device, _BATCH)
