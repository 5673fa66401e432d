"""What a training step does to the crops that were read for it, before the network sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from restore_cli.data.mixing import luma
from restore_cli.training.config import TrainConfig

_MIXUP_STREAM = 2  # keeps its random numbers apart from those of samples, which end in 0


def make_batch(
    config: TrainConfig, tensors: Sequence[Tensor], step: int, epoch: int, rank: int
) -> tuple[Tensor, Tensor]:
    """Return (degraded, clean), each (N, C, s, s) in [0, 1], C 1 for grey recipes, else 3.

    Sharp photos are degraded here, on their device; pairs are passed through. Both may then be
    mixed up. Every random number belongs to this very step.

    Args:
        config: the recipe.
        tensors: (photos,) or (degraded, clean).
        step: counted from 0.
        epoch: counted from 1.
        rank: of this process among several.
    """
    if len(tensors) == 2:
        degraded, clean = (_planes(tensor, config) for tensor in tensors)
    else:
        degraded, clean = _degraded(config, tensors[0], step, rank)
    if config.mixup.alpha and epoch >= config.mixup.from_epoch:
        rng = np.random.default_rng([config.seed, step, rank, _MIXUP_STREAM])
        degraded, clean = config.mixup(degraded, clean, rng)
    return degraded, clean


@torch.no_grad()
def _degraded(config: TrainConfig, photos: Tensor, step: int, rank: int) -> tuple[Tensor, Tensor]:
    chain = config.degradation
    if chain is None:
        raise ValueError("the recipe has no degradation")
    generator = torch.Generator().manual_seed((config.seed * 1_000_003 + step) * 4096 + rank)
    if chain.takes_planes:
        # Noise on one plane is what is meant: the mean of three would be quieter.
        return chain(_planes(photos, config), generator)
    degraded, clean = chain(photos, generator)
    return _planes(degraded, config), _planes(clean, config)


def _planes(images: Tensor, config: TrainConfig) -> Tensor:
    return luma(images) if config.is_grey else images
