"""Distance between fine details."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.losses.pixel import charbonnier_loss, check_same_shape

_TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)


def edge_loss(pred: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """Return the Charbonnier distance of what blurring takes from both images.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape as ``pred``.
        eps: width of the smooth zone, in intensity units.

    Raises:
        ValueError: the shapes differ.

    Source: MPRNet, arXiv:2102.02808, equation 3; the Laplacian is that of the authors' code.
    """
    check_same_shape(pred, target)
    return charbonnier_loss(laplacian(pred), laplacian(target), eps)


def laplacian(x: Tensor) -> Tensor:
    """Return an image (N, C, H, W) less what is left of it at half size, by a 5×5 blur each way.

    Source: Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983.
    """
    halved = torch.zeros_like(x)
    # Three of four pixels are zero: the blur that follows spreads the fourth over all.
    halved[..., ::2, ::2] = 4 * _blurred(x)[..., ::2, ::2]
    return x - _blurred(halved)


def _blurred(x: Tensor) -> Tensor:
    channels = x.shape[1]
    taps = x.new_tensor(_TAPS)
    kernel = torch.outer(taps, taps).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), kernel, groups=channels)
