"""Channel, spatial and supervised attention, and the one place where they take means."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.blocks.conv import plain_conv


class ContextMean(nn.Module):
    """The mean of each channel over the whole image, or over a window around each pixel.

    Networks are trained on patches; over a large photograph the mean of the whole is another
    number than it was in training. Local means take it over a window as large as the patch.

    Source: global mean, Hu et al. 2018, arXiv:1709.01507; local mean ("TLC"), Chu et al. 2022,
    arXiv:2112.04491, section 3.3. Windows do not shrink at borders, they stay inside.
    """

    def __init__(self, share: tuple[float, float] = (1.0, 1.0)) -> None:
        """Start with means over the whole image.

        Args:
            share: height and width of what this mean saw in training, in its own pixels, for each
                pixel of the training patch: a quarter of the patch at half size is (1/4, 1/4).
        """
        super().__init__()
        self.share = share
        self.window: tuple[int, int] | None = None

    def set_window(self, side: int | None) -> None:
        """Take means over a window of ``side`` full-size pixels; None is the whole image."""
        if side is None:
            self.window = None
        else:
            height, width = self.share
            self.window = (window_at(side, height), window_at(side, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, 1, 1) where one window covers ``x`` (N, C, H, W), else (N, C, H, W)."""
        height, width = x.shape[-2:]
        if self.window is None or (self.window[0] >= height and self.window[1] >= width):
            return x.mean(dim=(-2, -1), keepdim=True)
        # Sums of many half-precision numbers overflow.
        rows = _sliding_mean(x.float(), -2, self.window[0])
        return _sliding_mean(rows, -1, self.window[1]).to(x.dtype)

    def extra_repr(self) -> str:
        return f"share={self.share}, window={self.window}"


def window_at(side: int, share: float) -> int:
    """Return the side of a window in the pixels of a level, given its full size."""
    return max(1, round(side * share))


def _sliding_mean(x: Tensor, dim: int, window: int) -> Tensor:
    """Return the mean over ``window`` neighbours along ``dim``, all of them inside ``x``."""
    size = x.shape[dim]
    if window >= size:
        return x.mean(dim=dim, keepdim=True).expand_as(x)
    sums = x.cumsum(dim)
    sums = torch.cat([torch.zeros_like(sums.narrow(dim, 0, 1)), sums], dim=dim)
    starts = size - window + 1
    inside = (sums.narrow(dim, window, starts) - sums.narrow(dim, 0, starts)) / window
    before = (window - 1) // 2
    first = inside.narrow(dim, 0, 1)
    last = inside.narrow(dim, starts - 1, 1)
    ends = [_repeat(first, dim, before), inside, _repeat(last, dim, window - 1 - before)]
    return torch.cat(ends, dim=dim)


def _repeat(x: Tensor, dim: int, count: int) -> Tensor:
    sizes = list(x.shape)
    sizes[dim] = count
    return x.expand(sizes)


class ChannelAttention(nn.Module):
    """Scale each channel by a number in (0, 1) that depends on the means of all channels.

    Source: Hu et al. 2018, arXiv:1709.01507; no biases, as MPRNet and MIRNet use it.
    """

    def __init__(
        self, channels: int, reduction: int, share: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        self.mean = ContextMean(share)
        self.squeeze = plain_conv(channels, channels // reduction, 1)
        self.relu = nn.ReLU(inplace=True)
        self.excite = plain_conv(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

    def gate(self, x: Tensor) -> Tensor:
        """Return the numbers in (0, 1), (N, C, 1, 1) or for local means (N, C, H, W)."""
        return torch.sigmoid(self.excite(self.relu(self.squeeze(self.mean(x)))))


class SharesActivation(nn.Module):
    """A block between whose convolutions stands an activation that belongs to the network.

    It is kept in a tuple, so that it is not registered here: it is listed in the network.
    """

    conv1: nn.Module
    conv2: nn.Module

    def share_activation(self, activation: nn.Module) -> None:
        """Use this activation."""
        self._activation = (activation,)

    @property
    def activation(self) -> nn.Module:
        """What stands between the convolutions."""
        return self._activation[0]

    def features(self, x: Tensor) -> Tensor:
        """Return convolution, activation and convolution of ``x``, of the same shape."""
        convolved: Tensor = self.conv2(self.activation(self.conv1(x)))
        return convolved


class ChannelAttentionBlock(SharesActivation):
    """3×3 convolution, PReLU, 3×3 convolution, channel attention, plus the input (MPRNet's CAB)."""

    def __init__(
        self,
        channels: int,
        reduction: int,
        activation: nn.PReLU,
        share: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.conv1 = plain_conv(channels, channels, 3)
        self.conv2 = plain_conv(channels, channels, 3)
        self.attention = ChannelAttention(channels, reduction, share)
        self.share_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return torch.addcmul(x, features, self.attention.gate(features))


class SpatialAttention(nn.Module):
    """Scale each pixel by a number in (0, 1) that depends on the 5×5 pixels around it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = plain_conv(2, 1, 5)

    def forward(self, x: Tensor) -> Tensor:
        summary = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(summary))


class SupervisedAttention(nn.Module):
    """An image from features, and features gated by that image (SAM).

    Source: MPRNet, arXiv:2102.02808, section 3.2 and figure 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = plain_conv(channels, channels, 1)
        self.to_image = plain_conv(channels, 3, 1)
        self.to_gate = plain_conv(3, channels, 1)

    def forward(self, x: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
        """Return gated features like ``x`` (N, C, H, W), and the image (N, 3, H, W)."""
        image = self.to_image(x) + degraded
        gated = self.features(x) * torch.sigmoid(self.to_gate(image)) + x
        return gated, image


class SelectiveFusion(nn.Module):
    """Streams of one shape, weighted against each other channel by channel, summed (SKFF).

    Source: MIRNet, arXiv:2003.06792, section 3.1, figure 3.
    """

    def __init__(
        self, channels: int, streams: int, share: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        squeezed = max(channels // 8, 4)
        self.mean = ContextMean(share)
        self.squeeze = plain_conv(channels, squeezed, 1)
        self.activation = nn.PReLU()
        self.scores = nn.ModuleList(plain_conv(squeezed, channels, 1) for _ in range(streams))

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        total = streams[0]
        for stream in streams[1:]:
            total = total + stream
        summary = self.activation(self.squeeze(self.mean(total)))
        weights = torch.softmax(torch.stack([score(summary) for score in self.scores]), dim=0)
        fused = streams[0] * weights[0]
        for stream, weight in zip(streams[1:], weights[1:], strict=True):
            fused = fused + stream * weight
        return fused
