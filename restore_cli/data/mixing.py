"""Changes of whole batches: blends of two samples, and colours to one grey plane."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.random import Generator
from torch import Tensor

_LUMA = (0.2989, 0.5870, 0.1140)  # ITU-R BT.601, rounded as MATLAB's rgb2gray and PSS-NSC do


@dataclass(frozen=True, slots=True)
class MixUp:
    """Each sample blended with another of its batch by a share from Beta(alpha, alpha).

    Source: Zhang et al., "mixup", ICLR 2018; MPRNet and MIRNet train their denoisers with it.
    """

    alpha: float = 0.0  # 0: no blending
    from_epoch: int = 1  # the first epoch with it, counted from 1

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.from_epoch < 1:
            raise ValueError("mix-up needs an alpha of at least 0 and an epoch of at least 1")

    def __call__(self, degraded: Tensor, clean: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Return both batches (N, C, H, W), blended alike."""
        n = degraded.shape[0]
        share = torch.from_numpy(rng.beta(self.alpha, self.alpha, n)).to(degraded)
        partner = torch.from_numpy(rng.permutation(n)).to(degraded.device)
        share = share.view(-1, 1, 1, 1)
        return (
            share * degraded + (1 - share) * degraded[partner],
            share * clean + (1 - share) * clean[partner],
        )


def luma(images: Tensor) -> Tensor:
    """Return the one grey plane (N, 1, H, W) of colours (N, 3, H, W), both sRGB in [0, 1]."""
    weights = images.new_tensor(_LUMA).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)
