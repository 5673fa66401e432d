"""Computes tiles with PyTorch: on CPUs with fused networks and compiled kernels, or on a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from models import RestorationModel
from models.pooling import set_pooling
from restore_cli.engine.backends.workers import BatchRunner, CoreRunner, Runner
from restore_cli.engine.device import DTYPES, Precision, autocast
from restore_cli.engine.fused.network import fused
from restore_cli.engine.kernels.dispatch import kernels_for
from restore_cli.engine.memory import bytes_per_pixel
from restore_cli.engine.result_checks import agrees
from restore_cli.engine.tta import over_eight_views

_BATCH = 4  # tiles in a batch on an accelerator; not measured


class PyTorchBackend:
    """A network in PyTorch, as a :class:`~restore_cli.engine.backends.base.Backend`."""

    def __init__(
        self,
        network: RestorationModel,
        architecture: str,
        config: Any,  # noqa: ANN401 - each network has its own
        device: torch.device,
        precision: Precision,
        *,
        window: int | None = None,
        tta: bool = False,
    ) -> None:
        """Take over a network.

        Args:
            network: moved to the device, and changed for inference.
            architecture: its name.
            config: its sizes.
            device: where it runs.
            precision: of its convolutions.
            window: side of the windows that channel attention takes its means over; None: the
                whole tile.
            tta: average over eight flips and turns.
        """
        self._network = _for_inference(network, device, window)
        self._architecture = architecture
        self._config = config
        self._device = device
        self._precision = precision
        self._tta = tta
        self._fused: dict[Precision, RestorationModel] = {}
        is_cpu = device.type == "cpu"
        self._runner: Runner = (
            CoreRunner(torch.get_num_threads()) if is_cpu else BatchRunner(device, _BATCH)
        )
        # Prepared here: at the first tile it would add to the peak of memory.
        self.prepare()

    @property
    def title(self) -> str:
        if self._device.type != "cpu":
            return f"PyTorch, batches of {self._runner.workers}"
        uses_kernels = kernels_for(DTYPES[self._precision]) is not None
        return "oneDNN and compiled kernels" if uses_kernels else "oneDNN"

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

    def prepare(self) -> None:
        self._network_in(self._precision)

    def restore_tiles(self, tiles: Iterable[Tensor], at_once: int) -> Iterator[Tensor]:
        restore = partial(self._run, precision=self._precision)
        return self._runner(restore, partial(self._run, precision="fp32"), tiles, at_once)

    def is_precise(self, tile: Tensor, height: int, width: int) -> bool:
        tile = tile.to(self._device)
        precisions: tuple[Precision, Precision] = (self._precision, "fp32")
        results = (self._run(tile, each, at_all_scales=True) for each in precisions)
        return agrees(*(result[..., :height, :width] for result in results))

    def settle(self, *, is_precise: bool) -> None:
        if not is_precise:
            self._precision = "fp32"
        elif self._precision != "fp32":
            self._fused.pop("fp32", None)  # its ordered weights take four times the memory

    @torch.inference_mode()
    def _run(self, images: Tensor, precision: Precision, *, at_all_scales: bool = False) -> Tensor:
        """Restore (N, 3, h, w) on the device."""
        network = self._network_in(precision)
        stages = network if at_all_scales else network.at_one_scale

        def restore(image: Tensor) -> Tensor:
            return stages(image)[0]

        views = over_eight_views(restore) if self._tta else restore
        images = images.contiguous(memory_format=torch.channels_last)
        with autocast(self._device, precision):
            return views(images).float()

    def _network_in(self, precision: Precision) -> RestorationModel:
        """Return the network that computes in this precision."""
        if self._device.type != "cpu":
            return self._network
        if precision not in self._fused:
            self._fused[precision] = fused(self._network, DTYPES[precision])
        return self._fused[precision]


def _for_inference(
    network: RestorationModel, device: torch.device, window: int | None
) -> RestorationModel:
    """Move a network to the device; it takes means over windows and needs no gradient."""
    network = network.eval().requires_grad_(False)
    set_pooling(network, window)
    # Measured on CPUs, too: channels_last is 5 to 25 % faster for MIMO-UNet.
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
