"""Blocks of the networks in fewer passes over memory, each made of a trained one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks.attention import ChannelAttentionBlock, SharesActivation
from models.blocks.conv import ResidualBlock
from models.mirnet import DualAttentionUnit
from models.mprnet_local import PlainBlock
from restore_cli.engine.fused.convolution import FusedConv, convolution


class FusedResidualBlock(nn.Module):
    """A :class:`ResidualBlock` or :class:`PlainBlock` in two passes."""

    def __init__(self, block: ResidualBlock | PlainBlock, slope: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolutions(block, slope, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2.plus(self.conv1(x), x)


class FusedChannelAttentionBlock(nn.Module):
    """A :class:`ChannelAttentionBlock` that works in the memory of its own features."""

    def __init__(self, block: ChannelAttentionBlock, slope: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolutions(block, slope, dtype)
        self.attention = block.attention

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv2(self.conv1(x))
        gated: Tensor = features.mul_(self.attention.gate(features))
        return gated.add_(x) if gated.dtype == x.dtype else gated + x


class FusedDualAttentionUnit(nn.Module):
    """A :class:`DualAttentionUnit` whose last convolution adds up, with nothing side by side."""

    def __init__(self, unit: DualAttentionUnit, slope: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolutions(unit, slope, dtype)
        self.spatial = unit.spatial
        self.channel = unit.channel
        self.of_spatial, self.of_channel = (
            FusedConv(convolution(weight, None), None, dtype)
            for weight in unit.merge.weight.chunk(2, dim=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv2(self.conv1(x))
        total = self.of_spatial.plus(self.spatial(features), x)
        return self.of_channel.add_to(total, features.mul_(self.channel.gate(features)))


def _convolutions(
    block: ResidualBlock | SharesActivation, slope: float, dtype: torch.dtype
) -> tuple[FusedConv, FusedConv]:
    if not isinstance(block.conv1, nn.Conv2d) or not isinstance(block.conv2, nn.Conv2d):
        raise TypeError("the block is fused already")
    return FusedConv(block.conv1, slope, dtype), FusedConv(block.conv2, None, dtype)
