"""Pixels (H, W, C) in numpy ↔ the networks' (1, 3, H, W) in torch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.float32]


def to_tensor(pixels: Pixels) -> Tensor:
    """Return pixels as (1, 3, H, W) on the CPU; grey becomes three equal channels.

    The tensor is a view of the pixels where it can be; do not write to it.

    Args:
        pixels: (H, W, 1) or (H, W, 3) float32.

    Raises:
        ValueError: another shape or type, or no pixels at all.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
        raise ValueError(f"pixels are {pixels.shape}, not (H, W, 1) or (H, W, 3)")
    if pixels.dtype != np.float32:
        raise ValueError(f"pixels are {pixels.dtype}, not float32")
    # torch takes neither negative strides nor read-only memory.
    owned = np.ascontiguousarray(pixels)
    if not owned.flags.writeable:
        owned = owned.copy()
    return torch.from_numpy(owned).permute(2, 0, 1)[None].expand(1, 3, -1, -1)


def to_pixels(image: Tensor, channels: int) -> Pixels:
    """Return (1, 3, H, W) as (H, W, channels) float32; grey is the mean of the three.

    Raises:
        ValueError: ``channels`` is neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels {channels} is neither 1 nor 3")
    if channels == 1:
        image = image.mean(dim=1, keepdim=True)
    pixels: Pixels = image[0].permute(1, 2, 0).contiguous().float().cpu().numpy()
    return pixels
