"""Says how much memory a network needs in PyTorch for each pixel of a tile."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

# Config of a network → bytes it holds at its peak for each pixel of a tile, in fp32. ``Any`` is the
# network's own config class.
#
# Measured on a CPU with two workers (torch 2.13, AVX-512) and huge pages: the peak of a process
# over some rounds of tiles of 384² (full width) to 1056² pixels, less what
# `jobs/restore/memory_budget.py` counts for everything but the network. Without compiled kernels
# it is as much, or up to a third less. PSS-NSC, FormResNet and DiffResNet: over one round of tiles
# of 192² to 640² (AVX2), plus a fifth. Not measured on GPUs.
BYTES_PER_PIXEL: dict[str, Callable[[Any], int]] = {
    "mimo-unet": lambda config: 16 * _in_blocks(config.width),
    "mprnet": lambda config: 60 * int(config.features),
    "mprnet-local": lambda config: (
        18 * _in_blocks(config.features + config.orsnet_growth) + 2 * int(config.unet_growth) + 260
    ),
    "mirnet": lambda config: 56 * int(config.features),
    "pss-nsc": lambda config: 160 * int(config.width),
    "formresnet": lambda config: 26 * int(config.features),
    "diffresnet": lambda config: 28 * int(config.features),
}
UNMEASURED_BYTES_PER_PIXEL = 8000

# Networks that need half of that in bf16 on a CPU. The others were not measured.
_HALF_IN_BF16 = ("mimo-unet", "mprnet-local", "mprnet", "mirnet")

# Without huge pages (`cli/allocator.py` asks the C library for them), freed tensors leave gaps that
# tensors of other sizes do not fit. Two tiles of 640² to 896² then take 1.6 to 1.9 times as much,
# whether the C library keeps freed memory or not.
_FACTOR_WITHOUT_HUGE_PAGES = 1.7

_BLOCK_CHANNELS = 16


def bytes_per_pixel(architecture: str, config: Any, precision: str = "fp32") -> int:  # noqa: ANN401 - see BYTES_PER_PIXEL
    """Return the bytes a network needs at its peak for each pixel of a tile.

    Args:
        architecture: a key of ``models.ARCHITECTURES``.
        config: of the network.
        precision: number format of its convolutions.
    """
    measured = BYTES_PER_PIXEL.get(architecture)
    if measured is None:
        return UNMEASURED_BYTES_PER_PIXEL
    share = 0.5 if precision == "bf16" and architecture in _HALF_IN_BF16 else 1.0
    has_huge_pages = "hugetlb=1" in os.environ.get("GLIBC_TUNABLES", "")
    return round(measured(config) * share * (1.0 if has_huge_pages else _FACTOR_WITHOUT_HUGE_PAGES))


def _in_blocks(channels: int) -> int:
    """Return the channels in memory: kernels fill them up to whole blocks."""
    return -(-channels // _BLOCK_CHANNELS) * _BLOCK_CHANNELS
