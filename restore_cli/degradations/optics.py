"""Blur that is the same everywhere: defocus discs, Gaussians, ovals, lines and given kernels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def disc_kernels(radius: Tensor) -> Tensor:
    """Return discs with anti-aliased borders, each summing to 1.

    Args:
        radius: (n,) in pixels; 0 gives the identity.

    Returns:
        (n, k, k), k odd and just large enough for the largest disc.
    """
    reach = int(radius.max().ceil()) + 1
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    distance = torch.hypot(axis.view(1, -1), axis.view(-1, 1))
    discs = (radius.view(-1, 1, 1) + 0.5 - distance).clamp(0, 1)
    return discs / discs.sum(dim=(1, 2), keepdim=True)


def gaussian_kernels(sigma: Tensor) -> Tensor:
    """Return Gaussians, each summing to 1.

    Args:
        sigma: (n,) standard deviation in pixels, above 0.

    Returns:
        (n, k, k), k odd and three deviations of the widest one to each side.
    """
    return oval_kernels(sigma.unsqueeze(1).expand(-1, 2), torch.zeros_like(sigma))


def oval_kernels(sigma: Tensor, angle: Tensor) -> Tensor:
    """Return Gaussians that are wider in one direction, each summing to 1.

    Args:
        sigma: (n, 2) standard deviations in pixels, above 0.
        angle: (n,) of the first one's direction, in radians from the horizontal.

    Returns:
        (n, k, k), k odd and three deviations of the widest one to each side.
    """
    reach = max(1, int((3 * sigma.max()).ceil()))
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    sine, cosine = angle.sin().view(-1, 1, 1), angle.cos().view(-1, 1, 1)
    along = (x * cosine + y * sine) / sigma[:, 0].view(-1, 1, 1)
    across = (y * cosine - x * sine) / sigma[:, 1].view(-1, 1, 1)
    ovals = torch.exp(-0.5 * (along.square() + across.square()))
    return ovals / ovals.sum(dim=(1, 2), keepdim=True)


def line_kernels(length: Tensor, angle: Tensor, sigma: Tensor) -> Tensor:
    """Return soft straight lines through the centre, each summing to 1.

    Args:
        length: (n,) in pixels.
        angle: (n,) in radians from the vertical, towards the right at the bottom.
        sigma: (n,) standard deviation across the line in pixels, above 0.

    Returns:
        (n, k, k), k odd, three deviations of the widest line around the longest.
    """
    reach = int((length.max() / 2 + 3 * sigma.max()).ceil())
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    sine, cosine = angle.sin().view(-1, 1, 1), angle.cos().view(-1, 1, 1)
    across = x * cosine - y * sine
    beyond = ((x * sine + y * cosine).abs() - length.view(-1, 1, 1) / 2).clamp(min=0)
    distance = torch.hypot(across, beyond)
    lines = torch.exp(-0.5 * (distance / sigma.view(-1, 1, 1)).square())
    return lines / lines.sum(dim=(1, 2), keepdim=True)


def convolve(images: Tensor, kernels: Tensor) -> Tensor:
    """Blur every image with its own kernel; true convolution, borders reflected.

    Args:
        images: (n, c, H, W).
        kernels: (n, k, k), k odd, smaller than the image.

    Returns:
        (n, c, H, W).

    Raises:
        ValueError: the kernel's side is even.
    """
    n, c, height, width = images.shape
    side = kernels.shape[-1]
    if side % 2 == 0:
        raise ValueError(f"a kernel of even side {side} has no centre")
    padded = F.pad(images, [side // 2] * 4, mode="reflect")
    weight = kernels.flip(-2, -1).to(images).repeat_interleave(c, dim=0).unsqueeze(1)
    flat = F.conv2d(padded.view(1, n * c, *padded.shape[-2:]), weight, groups=n * c)
    return flat.view(n, c, height, width)
