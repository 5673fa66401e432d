"""MIMO-UNet and MIMO-UNet+: one U-Net with several input and output scales.

Source: Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021,
arXiv:2108.05054, section 3 and figure 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.base import RestorationModel
from models.blocks.conv import ConvReLU, ResidualBlock, UpConvReLU


@dataclass(frozen=True, slots=True)
class MIMOUNetConfig:
    """Size of a MIMO-UNet; the defaults are the paper's smaller network."""

    width: int = 32  # channels at full size; twice and four times as many below
    # Residual blocks of each encoder and decoder level: one number for all, as in the paper, or
    # one for full, half and quarter size. A block costs about the same anywhere, but at quarter
    # size it sees four times as far.
    blocks: int | Sequence[int] = 8
    dropout: float = 0.0  # drops whole channels of the fused features, while training only

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise ValueError(f"width {self.width} is not a positive multiple of 4")
        if not isinstance(self.blocks, int):
            object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.blocks_per_level) != 3 or min(self.blocks_per_level) < 1:
            raise ValueError(f"blocks {self.blocks} is not a number above 0, or three of them")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")

    @property
    def blocks_per_level(self) -> tuple[int, ...]:
        """Residual blocks of one level at full, half and quarter size."""
        return (self.blocks,) * 3 if isinstance(self.blocks, int) else tuple(self.blocks)


MIMO_UNET = MIMOUNetConfig()
MIMO_UNET_PLUS = MIMOUNetConfig(blocks=20, dropout=0.1)


class MIMOUNet(RestorationModel):
    """Three scales in, three scales out: (N, 3, H, W) with H and W multiples of 4.

    ``forward`` returns the images at full, half and quarter size.
    """

    def __init__(self, config: MIMOUNetConfig = MIMO_UNET) -> None:
        super().__init__()
        widths = full, half, quarter = config.width, config.width * 2, config.width * 4
        levels = list(zip(widths, config.blocks_per_level, strict=True))

        self.head = ConvReLU(3, full, 3)
        self.downs = nn.ModuleList([ConvReLU(full, half, 3, 2), ConvReLU(half, quarter, 3, 2)])
        self.shallow = nn.ModuleList([ShallowFeatures(half), ShallowFeatures(quarter)])
        self.attention = nn.ModuleList([FeatureAttention(half), FeatureAttention(quarter)])
        self.encoders = nn.ModuleList(
            _residual_blocks(channels, count) for channels, count in levels
        )
        self.fusions = nn.ModuleList(FeatureFusion(widths, level) for level in (0, 1))
        self.drop = nn.Dropout2d(config.dropout)

        # Decoder lists run from fine to coarse, like everything above.
        self.decoders = nn.ModuleList(
            _residual_blocks(channels, count) for channels, count in levels
        )
        self.ups = nn.ModuleList([UpConvReLU(half, full), UpConvReLU(quarter, half)])
        self.merges = nn.ModuleList([Merge(full), Merge(half)])
        self.tails = nn.ModuleList(nn.Conv2d(channels, 3, 3, padding=1) for channels in widths)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        # Nearest-neighbour halving keeps the top-left pixel of each 2×2, as the authors' code does.
        x_half, x_quarter = smaller(x, 1), smaller(x, 2)

        terms: list[list[Tensor]] = [[] for _ in self.fusions]
        full = self.encoders[0](self.head(x))
        half = self.downs[0](full)
        self._add_terms(terms, full, 0)
        del full  # the largest of what is held; nothing asks for it any more
        half = self.encoders[1](self.attention[0](half, self.shallow[0](x_half)))
        quarter = self.downs[1](half)
        self._add_terms(terms, half, 1)
        del half
        quarter = self.encoders[2](self.attention[1](quarter, self.shallow[1](x_quarter)))
        self._add_terms(terms, quarter, 2)

        skip_full = self.drop(self.fusions[0](terms.pop(0)))
        skip_half = self.drop(self.fusions[1](terms.pop()))
        deep = self.decoders[2](quarter)
        del quarter
        out_quarter = self.tails[2](deep) + x_quarter
        deep = self.decoders[1](self.merges[1](self.ups[1](deep), skip_half))
        del skip_half
        out_half = self.tails[1](deep) + x_half
        deep = self.ups[0](deep)  # one step at a time: nothing large is held that is not needed
        deep = self.merges[0](deep, skip_full)
        del skip_full
        deep = self.decoders[0](deep)
        return self.tails[0](deep) + x, out_half, out_quarter

    def _add_terms(self, terms: list[list[Tensor]], features: Tensor, scale: int) -> None:
        # The fusion at full size comes last: its term may take the memory of the features.
        for fusion, own in reversed(list(zip(self.fusions, terms, strict=True))):
            cast("FeatureFusion", fusion).add_term(own, features, scale)

    def output_layers(self) -> tuple[nn.Module, ...]:
        return tuple(self.tails)


class ShallowFeatures(nn.Module):
    """Shallow convolutional module (SCM): features of a reduced input image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvReLU(3, channels // 4, 3),
            ConvReLU(channels // 4, channels // 2, 1),
            ConvReLU(channels // 2, channels // 2, 3),
            ConvReLU(channels // 2, channels - 3, 1),
        )
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.project(torch.cat([x, self.body(x)], dim=1))
        return features


class FeatureAttention(nn.Module):
    """Feature attention module (FAM): shallow features decide what of the encoder's passes on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, shallow: Tensor) -> Tensor:
        gated: Tensor = self.conv(features * shallow)
        return features + gated


class FeatureFusion(nn.Module):
    """Asymmetric feature fusion (AFF): features of all scales, brought to one size, become one.

    Published as a 1×1 convolution of everything side by side at that size. Written out, that is a
    sum over the scales, and each term is the same before enlarging, which is less work.
    """

    def __init__(self, widths: Sequence[int], level: int) -> None:
        """Fuse at the size of one level.

        Args:
            widths: channels of the scales, from fine to coarse, each half the size of the last.
            level: the scale whose size and channels the result has.
        """
        super().__init__()
        self.widths = list(widths)
        self.level = level
        self.reduce = ConvReLU(sum(widths), widths[level], 1)
        self.conv = nn.Conv2d(widths[level], widths[level], 3, padding=1)

    def add_term(self, terms: list[Tensor], features: Tensor, scale: int) -> None:
        """Append what one scale adds, at its size or that of the result, whichever is smaller."""
        reduce: nn.Module = self.reduce[0]
        weights = torch.split(reduce.get_parameter("weight"), self.widths, dim=1)
        bias = reduce.get_parameter("bias") if scale == self.level else None
        features = smaller(features, max(0, self.level - scale))
        terms.append(F.conv2d(features, weights[scale], bias))

    def forward(self, terms: Sequence[Tensor]) -> Tensor:
        """Return the fused features, given the terms of all scales from fine to coarse."""
        total = terms[self.level]
        for scale, term in enumerate(terms):
            if scale != self.level:
                total = total + _larger(term, max(0, scale - self.level))
        fused: Tensor = self.conv(F.relu(total))
        return fused


class Merge(ConvReLU):
    """A 1×1 convolution of what comes from below and what was kept, side by side, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__(2 * channels, channels, 1)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:  # type: ignore[override]
        """Return (N, channels, H, W), given two of that shape."""
        conv, activation = self
        merged: Tensor = activation(conv(torch.cat([deep, skip], dim=1)))
        return merged


def smaller(x: Tensor, halvings: int) -> Tensor:
    """Return every second, fourth … pixel, counted from the top left."""
    return x[..., :: 2**halvings, :: 2**halvings]


def _larger(x: Tensor, doublings: int) -> Tensor:
    return F.interpolate(x, scale_factor=2**doublings) if doublings else x


def _residual_blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def halo(config: MIMOUNetConfig) -> int:
    """Return how many pixels away on each side an output pixel can still depend on.

    The longest way leads through the deepest level: two 3×3 convolutions a block, in an encoder
    and a decoder level each at 1, 2 and 4 pixels a step, and 20 pixels for head, down- and
    upsampling, attention, tail and the alignment to 4. A test compares this with the extent of
    the gradient.
    """
    full, half, quarter = config.blocks_per_level
    return 4 * full + 8 * half + 16 * quarter + 20
