"""Which compiled convolutions and blocks compute with which type of numbers."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import nn

from restore_cli.engine.kernels import amx, avx512_block, winograd, winograd_bf16
from restore_cli.engine.kernels.residual_block import CompiledBlock

_KERNELS = {torch.float32: (winograd,), torch.bfloat16: (amx, winograd_bf16)}


def kernels_for(dtype: torch.dtype) -> ModuleType | None:
    """Return the fastest that can be used here with images of this type, or None."""
    return next((k for k in _KERNELS.get(dtype, ()) if k.is_available()), None)


def block_kernel(
    dtype: torch.dtype, conv1: nn.Conv2d, conv2: nn.Conv2d
) -> type[CompiledBlock] | None:
    """Return the fastest that computes a residual block of these here, or None."""
    if dtype != torch.bfloat16:
        return None
    available = (kernels.ResidualBlock for kernels in (amx, avx512_block) if kernels.is_available())
    return next((block for block in available if block.takes(conv1, conv2)), None)
