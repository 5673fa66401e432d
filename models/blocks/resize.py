"""Halving and doubling of features: blurred, with residuals, or as TensorFlow 1 did it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.blocks.conv import plain_conv


def blur_kernel() -> Tensor:
    """Return the (3, 3) weights of (1, 2, 1) along both axes, of sum 1."""
    # Multiplied here and not by torch, which loads its compiler for that on the meta device.
    taps = (0.25, 0.5, 0.25)
    return torch.tensor([[row * column for column in taps] for row in taps])


class BlurPool(nn.Module):
    """Every second pixel of a blurred image, so that no fine detail turns into a coarse one.

    Source: Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019,
    arXiv:1904.11486; 3×3 binomial blur, borders reflected.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", blur_kernel(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H/2, W/2), rounded up, of (N, C, H, W) with sides of at least 2."""
        channels = x.shape[1]
        kernel = self.kernel.expand(channels, 1, 3, 3)
        return F.conv2d(_with_mirrored_rim(x), kernel, stride=2, groups=channels)


def _with_mirrored_rim(x: Tensor) -> Tensor:
    """Return ``x`` (N, C, H, W) reflected by one pixel on each side.

    As ``F.pad`` does it, but in the precision and layout of ``x`` also under autocast.
    """
    for dim in (-2, -1):
        rim = [x.narrow(dim, place, 1) for place in (1, x.shape[dim] - 2)]
        x = torch.cat([rim[0], x, rim[1]], dim=dim)
    return x


class ResidualDown(nn.Module):
    """Half the size and twice the channels, on two ways (MIRNet, figure 5a)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            plain_conv(channels, channels, 1),
            nn.PReLU(),
            plain_conv(channels, channels, 3),
            nn.PReLU(),
            BlurPool(),
            plain_conv(channels, 2 * channels, 1),
        )
        self.skip = nn.Sequential(BlurPool(), plain_conv(channels, 2 * channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        halved: Tensor = self.body(x) + self.skip(x)
        return halved


class ResidualUp(nn.Module):
    """Twice the size and half the channels, on two ways (MIRNet, figure 5b)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            plain_conv(channels, channels, 1),
            nn.PReLU(),
            nn.ConvTranspose2d(
                channels, channels, 3, stride=2, padding=1, output_padding=1, bias=False
            ),
            nn.PReLU(),
            plain_conv(channels, channels // 2, 1),
        )
        # Published after the doubling: the two commute, and this is a quarter of the work.
        self.skip = plain_conv(channels, channels // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        doubled: Tensor = self.body(x) + bilinear_double(self.skip(x))
        return doubled


def bilinear_double(x: Tensor) -> Tensor:
    """Return (N, C, 2H, 2W), interpolated with half-pixel centres."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def bicubic_double(x: Tensor) -> Tensor:
    """Return (N, C, 2H, 2W), interpolated cubically (a = -0.75) with half-pixel centres."""
    return F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


def bilinear_halve(x: Tensor) -> Tensor:
    """Return the means of 2×2 pixels, (N, C, H/2, W/2), rounded down."""
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)


def corner_double(x: Tensor) -> Tensor:
    """Return (N, C, 2H, 2W), interpolated so that pixel k stays at 2k, as TensorFlow 1 does it.

    Odd pixels are means of their neighbours; the last one repeats the last pixel.
    """
    for dim in (-2, -1):
        last = x.narrow(dim, x.shape[dim] - 1, 1)
        following = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), last], dim=dim)
        between = (x + following) / 2
        x = torch.stack([x, between], dim=x.ndim + dim + 1).flatten(x.ndim + dim, x.ndim + dim + 1)
    return x
