"""Parts of MPRNet, with attention or without, that work in the memory of what they are given.

At full size its features are the largest tensors there are, and a pass that adds two of them takes
about as long as a convolution of as few channels as slim networks have.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.blocks.attention import SupervisedAttention
from models.blocks.resize import bilinear_double
from models.mprnet import Decoder, Encoder, FullResolution, Merge, ThreeStages, Up
from restore_cli.engine.fused.blocks import BlockChain
from restore_cli.engine.fused.convolution import FusedConv, as_kind, convolution
from restore_cli.engine.kernels.upsample_add import add_doubled
from restore_cli.engine.memory import give_back_freed_if_large


def exchange_parts(network: ThreeStages, dtype: torch.dtype) -> None:
    """Exchange parts of a network in evaluation for those below, which compute the same.

    Convolutions that are left in them are for the caller to exchange.
    """
    for i in range(2):
        encoder = as_kind(Encoder, network.encoders[i])
        network.encoders[i] = FusedEncoder(encoder, dtype)
        network.decoders[i] = FusedDecoder(as_kind(Decoder, network.decoders[i]), dtype)
        supervision = as_kind(SupervisedAttention, network.supervision[i])
        network.supervision[i] = FusedSupervision(supervision, dtype)
        network.merges[i] = FusedMerge(as_kind(Merge, network.merges[i]), dtype)
    full_resolution = as_kind(FullResolution, network.full_resolution)
    network.full_resolution = FusedFullResolution(full_resolution, dtype)


class FusedEncoder(Encoder):
    """An :class:`Encoder` in the memory of what it is given."""

    def __init__(self, encoder: Encoder, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)  # its parts are there already
        self.levels = _chains(encoder.levels, dtype)
        self.downs = encoder.downs
        self.from_encoder = _each(encoder.from_encoder, dtype)
        self.from_decoder = _each(encoder.from_decoder, dtype)

    def joined(self, level: int, x: Tensor, encoded: Tensor, decoded: Tensor) -> Tensor:
        x = as_kind(FusedConv, self.from_encoder[level]).add_to(x, encoded)
        return as_kind(FusedConv, self.from_decoder[level]).add_to(x, decoded)


class FusedDecoder(nn.Module):
    """A :class:`Decoder` that leaves what it is given as it is, and nothing else."""

    def __init__(self, decoder: Decoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.levels = _chains(decoder.levels, dtype)
        self.skips = nn.ModuleList(BlockChain([skip], dtype) for skip in decoder.skips)
        self.ups = _each([as_kind(Up, up).conv for up in decoder.ups], dtype)

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        x = self.levels[-1](encoded[-1], keep=True)
        features: list[Tensor] = [x]
        for i in reversed(range(len(self.ups))):
            skip = self.skips[i](encoded[i], keep=True)
            x = self.levels[i](add_doubled(skip, self.ups[i](x)))
            features.insert(0, x)
        return features


class FusedSupervision(nn.Module):
    """A :class:`SupervisedAttention` with two tensors of its own instead of five."""

    def __init__(self, supervision: SupervisedAttention, dtype: torch.dtype) -> None:
        super().__init__()
        self.features = FusedConv(supervision.features, None, dtype)
        self.to_image = FusedConv(supervision.to_image, None, dtype)
        self.to_gate = FusedConv(supervision.to_gate, None, dtype)

    def forward(self, x: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
        image = self.to_image(x) + degraded
        features: Tensor = self.features(x)
        return features.mul_(self.to_gate(image).sigmoid_()).add_(x), image


class FusedMerge(nn.Module):
    """A :class:`Merge` with nothing side by side."""

    def __init__(self, merge: Merge, dtype: torch.dtype) -> None:
        super().__init__()
        own, gated = merge.conv.weight.chunk(2, dim=1)
        self.of_own = FusedConv(convolution(own, merge.conv.bias, padding=1), None, dtype)
        self.of_gated = FusedConv(convolution(gated, None, padding=1), None, dtype)

    def forward(self, x: Tensor, gated: Tensor) -> Tensor:
        return self.of_gated.add_to(self.of_own(x), gated)


class FusedFullResolution(FullResolution):
    """A :class:`FullResolution` in the memory of its input."""

    def __init__(self, part: FullResolution, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)  # its parts are there already
        groups = [list(as_kind(nn.Sequential, group)) for group in part.groups]
        self.groups = nn.ModuleList(BlockChain(blocks, dtype) for *blocks, _ in groups)
        self.lasts = _each([last for *_, last in groups], dtype)
        self.encoder_ups = part.encoder_ups
        self.decoder_ups = part.decoder_ups
        self.from_encoder = _each(part.from_encoder, dtype)
        self.from_decoder = _each(part.from_decoder, dtype)

    def forward(self, x: Tensor, encoded: Sequence[Tensor], decoded: Sequence[Tensor]) -> Tensor:
        give_back_freed_if_large(x)  # what the stages before left
        for i, group in enumerate(self.groups):
            x = as_kind(FusedConv, self.lasts[i]).add_to(x, group(x, keep=True))
            total = self.at_level(i, encoded[i], decoded[i])
            for _ in range(i - 1):
                total = bilinear_double(total)
            x = add_doubled(x, total) if i else x.add_(total)
        return x

    def joined(self, level: int, encoded: Tensor, decoded: Tensor) -> Tensor:
        total: Tensor = self.from_encoder[level](encoded)
        return as_kind(FusedConv, self.from_decoder[level]).add_to(total, decoded)


def _chains(levels: nn.ModuleList, dtype: torch.dtype) -> nn.ModuleList:
    return nn.ModuleList(BlockChain(as_kind(nn.Sequential, level), dtype) for level in levels)


def _each(convs: Sequence[nn.Module] | nn.ModuleList, dtype: torch.dtype) -> nn.ModuleList:
    return nn.ModuleList(FusedConv(as_kind(nn.Conv2d, conv), None, dtype) for conv in convs)
