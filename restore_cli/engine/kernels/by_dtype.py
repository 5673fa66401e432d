"""Which compiled convolutions compute with which type of numbers."""

from __future__ import annotations

from types import ModuleType

import torch

from restore_cli.engine.kernels import amx, winograd, winograd_bf16

_KERNELS = {torch.float32: (winograd,), torch.bfloat16: (amx, winograd_bf16)}


def kernels_for(dtype: torch.dtype) -> ModuleType | None:
    """Return the fastest that can be used here with images of this type, or None."""
    return next((k for k in _KERNELS.get(dtype, ()) if k.is_available()), None)
