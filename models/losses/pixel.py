"""Distances between intensities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def check_same_shape(pred: Tensor, target: Tensor) -> None:
    """Refuse tensors of different shapes, which broadcasting would silently stretch.

    Raises:
        ValueError: the shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")


def sum_over_scales(
    loss: Callable[[Tensor, Tensor], Tensor], preds: Sequence[Tensor], targets: Sequence[Tensor]
) -> Tensor:
    """Return the sum of a loss over pairs of images.

    Raises:
        ValueError: the counts differ, or what the loss raises.
    """
    return torch.stack([loss(p, t) for p, t in zip(preds, targets, strict=True)]).sum()


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


def mse_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(pred, target)
    return torch.mean((pred - target).square())


def charbonnier_loss(pred: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """Return the mean of sqrt(d² + eps²), an L1 distance with a smooth minimum.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.
        eps: width of the smooth zone, in intensity units.

    Raises:
        ValueError: the shapes differ.

    Source: MPRNet, arXiv:2102.02808, section 3, and MIRNet, arXiv:2003.06792, equation 1; the mean
    is over single pixels and channels, as in the authors' code.
    """
    return charbonnier_loss_unsquared(pred, target, eps**2)


def charbonnier_loss_unsquared(pred: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """Return the mean of sqrt(d² + eps): the other convention, where eps is not squared.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.
        eps: square of the width of the smooth zone.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(pred, target)
    return torch.sqrt((pred - target).square() + eps).mean()


def multi_scale_mse_loss(preds: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the sum over scales of the mean squared difference.

    Args:
        preds: one (N, C, h, w) a scale, intensities in [0, 1].
        targets: the same shapes, in the same order; see
            :func:`models.losses.pyramid.subsampled_targets`.

    Raises:
        ValueError: the counts or shapes differ.

    Source: PSS-NSC, CVPR 2019, section 3.4, every scale of the same weight, as the graph saved with
    the authors' weights has it.
    """
    return sum_over_scales(mse_loss, preds, targets)


def multi_scale_content_loss(preds: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the sum over scales of the mean absolute difference.

    Args:
        preds: one (N, C, h, w) a scale, intensities in [0, 1].
        targets: the same shapes, in the same order.

    Raises:
        ValueError: the counts or shapes differ.

    Source: MIMO-UNet, arXiv:2108.05054, equation 6, each scale divided by its element count.
    """
    return sum_over_scales(l1_loss, preds, targets)
