"""Targets for networks that are supervised at several sizes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def scaled_targets(target: Tensor, scales: Sequence[float]) -> list[Tensor]:
    """Return the target at each scale, reduced straight from full size.

    Bilinear with half-pixel centres and no antialiasing, as MIMO-UNet's authors train.

    Args:
        target: (N, C, H, W), intensities in [0, 1].
        scales: 1 for full size, 0.5 for half, and so on.
    """
    return [target if scale == 1 else _reduce(target, scale) for scale in scales]


def subsampled_targets(target: Tensor, scales: Sequence[float]) -> list[Tensor]:
    """Return the target at each scale as every so many pixels, starting with the first.

    That is what TensorFlow 1 does when it resizes bilinearly, and PSS-NSC is trained on it.

    Args:
        target: (N, C, H, W), intensities in [0, 1].
        scales: 1 for full size, 0.5 for half, and so on.
    """
    steps = [round(1 / scale) for scale in scales]
    return [target[..., ::step, ::step] for step in steps]


def _reduce(target: Tensor, scale: float) -> Tensor:
    return F.interpolate(target, scale_factor=scale, mode="bilinear", align_corners=False)
