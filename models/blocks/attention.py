"""Channel, spatial and supervised attention, and the one place where they take means."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
        """Return the means of all windows inside ``x`` (N, C, H, W).

        (N, C, H - h + 1, W - w + 1) for windows of h×w pixels, and (N, C, 1, 1) for the whole
        image. What is made of them comes to the size of ``x`` by :func:`spread`.
        """
        height, width = x.shape[-2:]
        if self.window is None or (self.window[0] >= height and self.window[1] >= width):
            return _whole_mean(x)
        return self.of_windows(x, min(self.window[0], height), min(self.window[1], width))

    def of_windows(self, x: Tensor, height: int, width: int) -> Tensor:
        """Return the means of all windows of this size inside ``x``, which is no smaller."""
        # Sums of many half-precision numbers overflow. Channels last, rows are added as they lie.
        pixels = x.permute(0, 2, 3, 1).float()
        rows = _window_means(pixels, 1, height)
        return _window_means(rows, 2, width).permute(0, 3, 1, 2).to(x.dtype)

    def extra_repr(self) -> str:
        return f"share={self.share}, window={self.window}"


def _whole_mean(x: Tensor) -> Tensor:
    """Return the mean of each channel of (N, C, H, W), as (N, C, 1, 1)."""
    if x.dtype == torch.float32:
        return x.mean(dim=(-2, -1), keepdim=True)
    # A mean of half-precision numbers writes all of them as float32 first; this only adds them so.
    return F.avg_pool2d(x, (x.shape[-2], x.shape[-1]))


def window_at(side: int, share: float) -> int:
    """Return the side of a window in the pixels of a level, given its full size."""
    return max(1, round(side * share))


def _window_means(x: Tensor, dim: int, window: int) -> Tensor:
    """Return the means of the ``size - window + 1`` windows along ``dim``, one for a longer one."""
    size = x.shape[dim]
    if window >= size:
        return x.mean(dim=dim, keepdim=True)
    count = size - window + 1
    # Sums of 1, 2, 4, … neighbours; a window is those of them that its length consists of.
    sums, length, reached = x, 1, 0
    total = torch.zeros_like(x.narrow(dim, 0, count))
    while True:
        if window & length:
            total += sums.narrow(dim, reached, count)
            reached += length
        if 2 * length > window:
            return total / window
        pairs = sums.shape[dim] - length
        sums = sums.narrow(dim, 0, pairs) + sums.narrow(dim, length, pairs)
        length *= 2


def spread(inside: Tensor, x: Tensor) -> Tensor:
    """Return what belongs to each pixel of ``x`` (N, C, H, W), given a number for each window.

    Windows do not shrink at borders: the pixels there belong to the nearest window that is inside.

    Args:
        inside: made of a :class:`ContextMean` of ``x``. Sides of 1, of means over the whole, stay:
            they go with every pixel.
        x: gives the size.
    """
    pixels = inside.permute(0, 2, 3, 1)
    for dim, size in ((1, x.shape[2]), (2, x.shape[3])):
        count = pixels.shape[dim]
        if count in {1, size}:
            continue
        before = (size - count) // 2
        first, last = pixels.narrow(dim, 0, 1), pixels.narrow(dim, count - 1, 1)
        ends = (_repeat(first, dim, before), _repeat(last, dim, size - count - before))
        pixels = torch.cat([ends[0], pixels, ends[1]], dim=dim)
    return pixels.permute(0, 3, 1, 2)


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
        return spread(torch.sigmoid(self.excite(self.relu(self.squeeze(self.mean(x))))), x)


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
        # Stacked as they lie in memory, channels last, or the softmax would copy all of them.
        scores = torch.stack([score(summary).permute(0, 2, 3, 1) for score in self.scores])
        weights = torch.softmax(scores, dim=0).permute(0, 1, 4, 2, 3)
        weights = weights.to(total.dtype)  # autocast may compute a softmax in float32
        fused = streams[0] * spread(weights[0], total)
        for stream, weight in zip(streams[1:], weights[1:], strict=True):
            fused = torch.addcmul(fused, stream, spread(weight, total))
        return fused
