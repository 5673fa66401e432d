"""Sensor noise."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

# Bilinear interpolation between the pixels that hold red or blue (one of four), and green (two).
_FROM_ONE_OF_FOUR = ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25))
_FROM_TWO_OF_FOUR = ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0))


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


def demosaicked(generator: Generator, noise: Tensor) -> Tensor:
    """Return noise as it looks when each pixel measures one colour and the others are interpolated.

    A Bayer pattern of random phase, interpolated bilinearly: neighbouring values become alike, and
    the noise of one colour is no longer that of another.

    Args:
        generator: the source of randomness.
        noise: (N, 3, H, W), what each pixel would have in each colour.
    """
    n, _, height, width = noise.shape
    phase = torch.randint(2, (n, 2, 1), generator=generator)
    odd_row = ((torch.arange(height) + phase[:, 0]) % 2 == 1).unsqueeze(2)
    odd_column = ((torch.arange(width) + phase[:, 1]) % 2 == 1).unsqueeze(1)
    red, blue = ~odd_row & ~odd_column, odd_row & odd_column
    measured = torch.stack([red, ~(red | blue), blue], dim=1).to(noise)
    kernels = noise.new_tensor([_FROM_ONE_OF_FOUR, _FROM_TWO_OF_FOUR, _FROM_ONE_OF_FOUR])
    # Reflection keeps the phase of the pattern at the borders.
    padded = F.pad(noise * measured, [1] * 4, mode="reflect")
    return F.conv2d(padded, kernels.unsqueeze(1), groups=3)
