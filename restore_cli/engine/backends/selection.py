"""Chooses the backend that computes a network."""

from __future__ import annotations

import torch

from restore_cli.engine.backends.base import Backend
from restore_cli.engine.backends.pytorch.backend import PyTorchBackend
from restore_cli.engine.device import Precision
from restore_cli.engine.loading import LoadedModel


def open_backend(
    model: LoadedModel, device: torch.device, precision: Precision, *, tta: bool = False
) -> Backend:
    """Return a backend that is ready to restore tiles; PyTorch is the only one so far.

    Args:
        model: the network, on the CPU or wherever it was handed in; the backend may move it.
        device: where to compute.
        precision: number format of the convolutions, one that the device has.
        tta: average over eight flips and turns of each tile, in eight times the time.
    """
    return PyTorchBackend(model, device, precision, tta=tta)
