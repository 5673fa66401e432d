"""Distances between intensities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def check_same_shape(pred: Tensor, target: Tensor) -> None:
    """Refuse tensors of different shapes, which broadcasting would silently stretch.

    Raises:
        ValueError: the shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")


def l1_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(pred, target)
    return torch.mean(torch.abs(pred - target))


def multi_scale_content_loss(preds: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the sum over scales of the mean absolute difference.

    Args:
        preds: one (N, C, h, w) a scale, intensities in [0, 1].
        targets: the same shapes, in the same order.

    Raises:
        ValueError: the counts or shapes differ.

    Source: MIMO-UNet, arXiv:2108.05054, equation 6, each scale divided by its element count.
    """
    terms = [l1_loss(pred, target) for pred, target in zip(preds, targets, strict=True)]
    return torch.stack(terms).sum()
