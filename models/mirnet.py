"""MIRNet: parallel streams at several sizes that keep exchanging what they know.

Source: Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement",
ECCV 2020, arXiv:2003.06792, section 3 and figures 1 to 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.base import RestorationModel
from models.blocks.attention import (
    ChannelAttention,
    SelectiveFusion,
    SharesActivation,
    SpatialAttention,
    window_at,
)
from models.blocks.conv import plain_conv
from models.blocks.resize import ResidualDown, ResidualUp

_REDUCTION = 8  # squeeze ratio of the channel attention


@dataclass(frozen=True, slots=True)
class MIRNetConfig:
    """Size of a MIRNet; the defaults are the paper's network, the same for every task."""

    features: int = 64  # channels at full size; twice as many at each halving
    groups: int = 3  # recursive residual groups (RRG)
    blocks_per_group: int = 2  # multi-scale residual blocks (MSRB)
    height: int = 3  # streams in a block, each of half the size of the one before
    width: int = 2  # times that each stream is worked on in a block

    def __post_init__(self) -> None:
        if self.features < _REDUCTION or self.features % 2:
            raise ValueError(f"features {self.features} is odd or less than {_REDUCTION}")
        for name in ("groups", "blocks_per_group"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is less than 1")
        # Three is what the size rule, a multiple of 4, provides for.
        if self.height not in {2, 3}:
            raise ValueError(f"height {self.height} is neither 2 nor 3")
        if self.width < 2:
            raise ValueError(f"width {self.width} is less than 2, so that nothing is exchanged")


MIRNET = MIRNetConfig()


class MIRNet(RestorationModel):
    """One image of the size of the input: (N, 3, H, W) with H and W multiples of 4."""

    def __init__(self, config: MIRNetConfig = MIRNET) -> None:
        super().__init__()
        # One slope for every dual attention unit of the network, as published.
        self.activation = nn.PReLU()
        self.head = plain_conv(3, config.features, 3)
        self.groups = nn.Sequential(*(Group(config, self.activation) for _ in range(config.groups)))
        self.tail = plain_conv(config.features, 3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.tail(self.groups(self.head(x))) + x,)

    def output_layers(self) -> tuple[nn.Module, ...]:
        return (self.tail,)


class Group(nn.Module):
    """Recursive residual group (RRG): blocks and a convolution, plus the input."""

    def __init__(self, config: MIRNetConfig, activation: nn.PReLU) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(MultiScaleBlock(config, activation) for _ in range(config.blocks_per_group))
        )
        self.conv = plain_conv(config.features, config.features, 3)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv(self.blocks(x))
        return x + residual


class MultiScaleBlock(nn.Module):
    """Multi-scale residual block (MSRB): streams from fine to coarse, fused again and again.

    Each stream has one attention unit and one fusion, whose weights serve every time the stream is
    worked on; so does a sampler for each pair of streams. The last fusion is that of the finest
    stream once more, after samplers of its own.
    """

    def __init__(self, config: MIRNetConfig, activation: nn.PReLU) -> None:
        super().__init__()
        streams = range(config.height)
        widths = [config.features << level for level in streams]
        shares = [(0.5**level, 0.5**level) for level in streams]
        self.units = nn.ModuleList(
            DualAttentionUnit(width, activation, share)
            for width, share in zip(widths, shares, strict=True)
        )
        self.fusions = nn.ModuleList(
            SelectiveFusion(width, config.height, share)
            for width, share in zip(widths, shares, strict=True)
        )
        # From stream i to stream j by the name i_j.
        self.downs = nn.ModuleDict(
            {f"{i}_{j}": _downs(widths[i:j]) for i in streams for j in streams if i < j}
        )
        self.ups = nn.ModuleDict(
            {f"{i}_{j}": _ups(widths[j + 1 : i + 1]) for i in streams for j in streams if i > j}
        )
        self.last_ups = nn.ModuleList(_ups(widths[1 : i + 1]) for i in streams[1:])
        self.conv = plain_conv(config.features, config.features, 3)
        self._exchanges = config.width - 1

    def forward(self, x: Tensor) -> Tensor:
        streams: list[Tensor] = [self.units[0](x)]
        for i, unit in enumerate(self.units):
            if i:
                streams.append(unit(self.downs[f"{i - 1}_{i}"](streams[-1])))
        for _ in range(self._exchanges):
            fused = [self._fused(streams, j) for j in range(len(streams))]
            streams = [unit(stream) for unit, stream in zip(self.units, fused, strict=True)]
        full = [up(stream) for up, stream in zip(self.last_ups, streams[1:], strict=True)]
        residual: Tensor = self.conv(self.fusions[0]([streams[0], *full]))
        return x + residual

    def _fused(self, streams: Sequence[Tensor], j: int) -> Tensor:
        """Return what all streams have to say at the size of stream ``j``."""
        resized = [self._resized(stream, i, j) for i, stream in enumerate(streams)]
        fused: Tensor = self.fusions[j](resized)
        return fused

    def _resized(self, stream: Tensor, i: int, j: int) -> Tensor:
        if i == j:
            return stream
        resized: Tensor = (self.downs if i < j else self.ups)[f"{i}_{j}"](stream)
        return resized


class DualAttentionUnit(SharesActivation):
    """Two convolutions, attention to places and to channels side by side, plus the input (DAU)."""

    def __init__(self, channels: int, activation: nn.PReLU, share: tuple[float, float]) -> None:
        super().__init__()
        self.conv1 = plain_conv(channels, channels, 3)
        self.conv2 = plain_conv(channels, channels, 3)
        self.spatial = SpatialAttention()
        self.channel = ChannelAttention(channels, _REDUCTION, share)
        self.merge = plain_conv(2 * channels, channels, 1)
        self.share_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        both = torch.cat([self.spatial(features), self.channel(features)], dim=1)
        residual: Tensor = self.merge(both)
        return x + residual


def _downs(widths: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(ResidualDown(width) for width in widths))


def _ups(widths: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(ResidualUp(width) for width in reversed(widths)))


def local_halo(config: MIRNetConfig, window: int) -> int:
    """Return how many pixels away an output pixel can still depend on with local means.

    Follows the longest way through the streams. Half a window comes with each attention unit and
    each fusion, which makes thousands of pixels, nearly all of them through means, where a pixel
    is one among many. A test compares this with what is reached.
    """
    means = [window_at(window, 0.5**level) // 2 for level in range(config.height)]
    units = [(2 + max(2, mean)) << level for level, mean in enumerate(means)]
    reached = [units[0]]
    for level in range(1, config.height):
        reached.append(reached[-1] + _resizing(level - 1, level) + units[level])
    for _ in range(config.width - 1):
        reached = [_fusion(reached, means, level) + units[level] for level in range(config.height)]
    block = _fusion(reached, means, 0) + 1
    return config.groups * (config.blocks_per_group * block + 1) + 2


def _fusion(reached: Sequence[int], means: Sequence[int], level: int) -> int:
    furthest = max(reach + _resizing(i, level) for i, reach in enumerate(reached))
    return furthest + (means[level] << level)


def _resizing(i: int, j: int) -> int:
    """Return the reach of a sampler from stream i to stream j, in full-size pixels."""
    return 2 * ((1 << j) - (1 << i)) if i < j else 2 * ((1 << i) - (1 << j))
