"""Distance between image gradients."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.losses.pixel import check_same_shape

_SMOOTH = (1.0, 2.0, 1.0)
_SLOPE = (1.0, 0.0, -1.0)


def sobel_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of Sobel gradients, over both directions.

    Outside the image there are zeros. The transform is linear: that of the difference is the
    difference of both.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.

    Raises:
        ValueError: the shapes differ.

    Source: FormResNet, CVPR Workshops 2017, the gradient term of the cross-level loss.
    """
    check_same_shape(pred, target)
    return torch.mean(torch.abs(sobel(pred - target)))


def sobel(x: Tensor) -> Tensor:
    """Return the horizontal and vertical gradient of each channel: (N, C, H, W) → (N, 2C, H, W).

    Channel 2c is horizontal, 2c + 1 vertical; positive where it is darker to the right or below.
    """
    channels = x.shape[1]
    smooth, slope = x.new_tensor(_SMOOTH), x.new_tensor(_SLOPE)
    kernels = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])
    kernels = kernels[:, None].repeat(channels, 1, 1, 1)
    return F.conv2d(x, kernels, padding=1, groups=channels)
