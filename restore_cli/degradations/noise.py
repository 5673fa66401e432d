"""Sensor noise."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def poisson_gaussian(generator: Generator, linear: Tensor, shot: Tensor, read: Tensor) -> Tensor:
    """Add signal-dependent noise of variance ``shot`` · x + ``read``² to linear light.

    The Poisson part is drawn from the normal distribution of the same variance.

    Args:
        generator: the source of randomness; draws are made on the CPU.
        linear: (N, C, H, W) linear light in [0, 1].
        shot: (N,) variance of the noise at x = 1 that comes from the photon count.
        read: (N,) standard deviation at x = 0.

    Source: Foi et al., "Practical Poissonian-Gaussian noise modeling", IEEE TIP 2008, equation 5.
    """
    shape = (-1, 1, 1, 1)
    variance = linear.clamp(min=0) * shot.view(shape).to(linear)
    variance = variance + read.view(shape).to(linear).square()
    draw = torch.randn(linear.shape, generator=generator).to(linear)
    return linear + draw * variance.sqrt()


def white_gaussian(generator: Generator, images: Tensor, sigma: Tensor) -> Tensor:
    """Add noise of one standard deviation for each image; the result is not clipped.

    Args:
        generator: the source of randomness; draws are made on the CPU.
        images: (N, C, H, W), in any range.
        sigma: (N,) in the unit of the images.
    """
    draw = torch.randn(images.shape, generator=generator).to(images)
    return images + draw * sigma.view(-1, 1, 1, 1).to(images)
