"""Convolution and residual blocks."""

from __future__ import annotations

from torch import Tensor, nn


def plain_conv(channels_in: int, channels_out: int, kernel: int) -> nn.Conv2d:
    """Return a convolution without bias that keeps the size."""
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)


class ConvReLU(nn.Sequential):
    """A convolution that keeps the size (times 1/stride), then ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2),
            nn.ReLU(inplace=True),
        )


class UpConvReLU(nn.Sequential):
    """A 4×4 transposed convolution of stride 2 that doubles the size, then ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """3×3 convolution, ReLU, 3×3 convolution, plus the input; no ReLU after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(self.relu(self.conv1(x)))
        return x + residual
