"""Distances between spectra."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.losses.pixel import check_same_shape, sum_over_scales


def frequency_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the unnormalised two-dimensional spectra.

    Real and imaginary parts count as separate numbers, so the mean runs over twice as many as
    the image has. The transform is linear: that of the difference is the difference of both.
    Computed in float32, since sums over whole images overflow half precision.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(pred, target)
    spectrum = torch.fft.fft2((pred - target).float(), dim=(-2, -1))
    return torch.mean(torch.abs(torch.view_as_real(spectrum)))


def multi_scale_frequency_loss(preds: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the sum over scales of :func:`frequency_loss` (MSFR loss).

    Args:
        preds: one (N, C, h, w) a scale, intensities in [0, 1].
        targets: the same shapes, in the same order.

    Raises:
        ValueError: the counts or shapes differ.

    Source: MIMO-UNet, arXiv:2108.05054, equation 7.
    """
    return sum_over_scales(frequency_loss, preds, targets)
