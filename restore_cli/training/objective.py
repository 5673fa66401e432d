"""Stages × targets → one scalar to minimise, and its named parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.losses.frequency import multi_scale_frequency_loss
from models.losses.pixel import multi_scale_content_loss
from models.losses.pyramid import scaled_targets
from restore_cli.training.config import LossConfig


def objective(
    stages: Sequence[Tensor],
    clean: Tensor,
    degraded: Tensor,
    scales: Sequence[float],
    config: LossConfig,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the recipe's losses, and each part before weighting.

    Args:
        stages: what the network returned, each (N, 3, h, w), intensities in [0, 1].
        clean: (N, 3, H, W), the target at full size.
        degraded: same shape as ``clean``; how far it is off sets a sample's weight if balanced.
        scales: size of each stage relative to the target.
        config: the weights.

    Raises:
        ValueError: no loss has a weight, or the stages do not have the sizes of their scales.
    """
    targets = scaled_targets(clean, scales)
    preds = [stage.float() for stage in stages]
    if config.balance:
        # Every loss here is homogeneous: scaling both images scales the sample's share of it.
        error = (degraded - clean).abs().mean(dim=(1, 2, 3), keepdim=True)
        weight = config.balance / (config.balance + error)
        preds, targets = [p * weight for p in preds], [t * weight for t in targets]
    parts: dict[str, Tensor] = {}
    if config.content:
        parts["content"] = multi_scale_content_loss(preds, targets)
    if config.frequency:
        parts["frequency"] = multi_scale_frequency_loss(preds, targets)
    if not parts:
        raise ValueError("every loss weight is 0")
    weighted = [part * getattr(config, name) for name, part in parts.items()]
    return torch.stack(weighted).sum(), parts
