"""Which compiled convolutions compute with which type of numbers."""

from __future__ import annotations

import torch

from restore_cli.engine.kernels import amx, winograd

KERNELS = {torch.float32: winograd, torch.bfloat16: amx}
