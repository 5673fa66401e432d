"""Blocks of the networks in fewer passes over memory, each made of a trained one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.blocks.activation import slope_of
from models.blocks.attention import ChannelAttentionBlock, SharesActivation
from models.blocks.conv import ResidualBlock
from models.mirnet import DualAttentionUnit
from models.mprnet_local import PlainBlock
from restore_cli.engine.fused.convolution import FusedConv, as_kind, convolution
from restore_cli.engine.kernels.residual_block import CompiledBlock
from restore_cli.engine.kernels.selection import block_kernel


def fused_block(block: nn.Module, dtype: torch.dtype) -> FusedBlock:
    """Return a residual block, with channel attention or without, for inference.

    Raises:
        TypeError: another kind of block.
    """
    if isinstance(block, ResidualBlock):
        return _residual_block(block, 0.0, dtype)
    if isinstance(block, SharesActivation):
        slope = slope_of(block.activation)
        if slope is not None and isinstance(block, PlainBlock):
            return _residual_block(block, slope, dtype)
        if slope is not None and isinstance(block, ChannelAttentionBlock):
            return FusedChannelAttentionBlock(block, slope, dtype)
    raise TypeError(f"no fused block for a {type(block).__name__}")


class FusedBlock(nn.Module):
    """A block that adds to its input, in memory of its own or in that of the input."""

    takes_room = False  # whether `update` makes use of it

    def update(self, x: Tensor, room: Tensor | None = None) -> Tensor:
        """Return ``forward(x)``, in the memory of ``x`` where that can be.

        Args:
            x: (N, C, H, W).
            room: like ``x``, in which may lie what is between.
        """
        del room
        return x.copy_(self(x))


class OnePassBlock(FusedBlock):
    """A :class:`ResidualBlock` or :class:`PlainBlock` in one pass, in bf16."""

    def __init__(self, block: CompiledBlock) -> None:
        super().__init__()
        self._block = block

    def forward(self, x: Tensor) -> Tensor:
        return self._block(x.to(torch.bfloat16))

    def update(self, x: Tensor, room: Tensor | None = None) -> Tensor:
        del room  # what is between is never written to memory
        return self._block(x.to(torch.bfloat16), in_place=True)


class FusedResidualBlock(FusedBlock):
    """A :class:`ResidualBlock` or :class:`PlainBlock` in two passes."""

    def __init__(self, block: ResidualBlock | PlainBlock, slope: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolutions(block, slope, dtype)
        self.takes_room = self.conv1.takes_room

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2.plus(self.conv1(x), x)

    def update(self, x: Tensor, room: Tensor | None = None) -> Tensor:
        return self.conv2.add_to(x, self.conv1(x, room))


class FusedChannelAttentionBlock(FusedBlock):
    """A :class:`ChannelAttentionBlock` that works in the memory of its own features."""

    def __init__(self, block: ChannelAttentionBlock, slope: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolutions(block, slope, dtype)
        self.takes_room = self.conv1.takes_room
        self.attention = block.attention

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv2(self.conv1(x))
        gated: Tensor = features.mul_(self.attention.gate(features))
        return gated.add_(x) if gated.dtype == x.dtype else gated + x

    def update(self, x: Tensor, room: Tensor | None = None) -> Tensor:
        features = self.conv2(self.conv1(x, room))
        return x.addcmul_(features, self.attention.gate(features))


class BlockChain(nn.Module):
    """Blocks, one after another, in the memory of the input unless that is to be kept.

    What is between the convolutions of each takes the same memory, too: it costs as much time to
    be given a large piece of it anew as to compute a third of a narrow convolution.
    """

    def __init__(self, blocks: Iterable[nn.Module], dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self.blocks = nn.ModuleList(fused_block(block, dtype) for block in blocks)

    def forward(self, x: Tensor, *, keep: bool = False) -> Tensor:
        room: Tensor | None = None
        for module in self.blocks:
            block = as_kind(FusedBlock, module)
            if keep:
                x, keep = block(x), False
                continue
            if room is None and block.takes_room:
                room = torch.empty_like(x, dtype=self._dtype, memory_format=torch.channels_last)
            x = block.update(x, room)
        return x


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


def _residual_block(
    block: ResidualBlock | PlainBlock, slope: float, dtype: torch.dtype
) -> FusedBlock:
    conv1, conv2 = _trained(block)
    kernel = block_kernel(dtype, conv1, conv2)
    if kernel is not None:
        return OnePassBlock(kernel(conv1, slope, conv2))
    return FusedResidualBlock(block, slope, dtype)


def _convolutions(
    block: ResidualBlock | SharesActivation, slope: float, dtype: torch.dtype
) -> tuple[FusedConv, FusedConv]:
    conv1, conv2 = _trained(block)
    return FusedConv(conv1, slope, dtype), FusedConv(conv2, None, dtype)


def _trained(block: ResidualBlock | SharesActivation) -> tuple[nn.Conv2d, nn.Conv2d]:
    if not isinstance(block.conv1, nn.Conv2d) or not isinstance(block.conv2, nn.Conv2d):
        raise TypeError("the block is fused already")
    return block.conv1, block.conv2
