"""MPRNet: three stages, which restore quarters, halves and the whole of an image.

Source: Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021, arXiv:2102.02808,
section 3 and figures 2 to 4.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.base import RestorationModel
from models.blocks.attention import ChannelAttentionBlock, SupervisedAttention, window_at
from models.blocks.conv import plain_conv
from models.blocks.resize import bilinear_double, bilinear_halve

# What each part sees of the training patch, height and width: attention means are over that.
QUARTER, HALF, WHOLE = (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)

MakeBlock = Callable[[int, tuple[float, float]], nn.Module]


@dataclass(frozen=True, slots=True)
class Widths:
    """Widths of the three stages; the defaults are the paper's deblurring network."""

    features: int = 96
    unet_growth: int = 48  # channels added at each U-Net level
    orsnet_growth: int = 32  # channels added in the full-resolution stage
    blocks_per_group: int = 8  # blocks in each group of the full-resolution stage

    def __post_init__(self) -> None:
        for name in ("features", "blocks_per_group"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is less than 1")
        for name in ("unet_growth", "orsnet_growth"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name)} is negative")

    @property
    def levels(self) -> list[int]:
        """Channels of the U-Nets at full, half and quarter size."""
        return [self.features + level * self.unet_growth for level in range(3)]


@dataclass(frozen=True, slots=True)
class MPRNetConfig(Widths):
    """Size of MPRNet; the defaults are the paper's deblurring network."""

    reduction: int = 4  # squeeze ratio of the channel attention

    def __post_init__(self) -> None:
        Widths.__post_init__(self)
        if self.reduction < 1:
            raise ValueError(f"reduction {self.reduction} is less than 1")
        if self.features < self.reduction:
            raise ValueError(f"features {self.features} is less than reduction {self.reduction}")


DEBLUR = MPRNetConfig()
DENOISE = MPRNetConfig(features=80)
DERAIN = MPRNetConfig(features=40, unet_growth=20, orsnet_growth=16)


class ThreeStages(RestorationModel):
    """Three images of the size of the input: (N, 3, H, W) with H and W multiples of 8.

    ``forward`` returns the images of stages 3, 2 and 1. What the stages are made of is for those
    who build on this.
    """

    def __init__(self, widths: Widths, activation: nn.Module, block: MakeBlock) -> None:
        """Build the stages.

        Args:
            widths: of every part.
            activation: that of all the blocks, which is listed once.
            block: makes a block of a width, given the share of the training patch that it sees.
        """
        super().__init__()
        features = widths.features
        full = features + widths.orsnet_growth
        self.activation = activation
        self.shallow = nn.ModuleList(
            nn.Sequential(plain_conv(3, features, 3), block(features, share))
            for share in (QUARTER, HALF, WHOLE)
        )
        self.encoders = nn.ModuleList(
            [
                Encoder(widths, block, QUARTER, is_second=False),
                Encoder(widths, block, HALF, is_second=True),
            ]
        )
        self.decoders = nn.ModuleList(Decoder(widths, block, share) for share in (HALF, WHOLE))
        self.supervision = nn.ModuleList(SupervisedAttention(features) for _ in range(2))
        self.merges = nn.ModuleList(Merge(features, width) for width in (features, full))
        self.full_resolution: nn.Module = FullResolution(widths, block)
        self.tail = plain_conv(full, 3, 3)

    def is_parted(self, x: Tensor) -> bool:
        """Return whether the first two stages see an image in parts, each by itself."""
        del x
        return False

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        part, join = (_part, _join) if self.is_parted(x) else (_keep, _keep)

        halves = part(x, -2)
        quarters = part(halves, -1)
        encoded = [join(level, -1) for level in self.encoders[0](self.shallow[0](quarters))]
        decoded = self.decoders[0](encoded)
        gated, image = self.supervision[0](decoded[0], halves)
        first = join(image, -2)

        merged = self.merges[0](self.shallow[1](halves), gated)
        encoded = [join(level, -2) for level in self.encoders[1](merged, encoded, decoded)]
        decoded = self.decoders[1](encoded)
        gated, second = self.supervision[1](decoded[0], x)

        merged = self.merges[1](self.shallow[2](x), gated)
        del gated  # at full size, where memory is needed most from here on
        return self.tail(self.full_resolution(merged, encoded, decoded)) + x, second, first

    def output_layers(self) -> tuple[nn.Module, ...]:
        first, second = (self.get_submodule(f"supervision.{i}.to_image") for i in range(2))
        return self.tail, second, first


class MPRNet(ThreeStages):
    """Three images of the size of the input: (N, 3, H, W) with H and W multiples of 8.

    Stage 1 encodes four quarters of the image and decodes two halves, each by itself; stage 2
    encodes halves and decodes the whole. That is no saving of memory but part of the network:
    convolutions and means end where the parts end.
    """

    def __init__(self, config: MPRNetConfig = DEBLUR) -> None:
        # One slope for every attention block of the network, as published.
        activation = nn.PReLU()

        def block(width: int, share: tuple[float, float]) -> ChannelAttentionBlock:
            return ChannelAttentionBlock(width, config.reduction, activation, share)

        super().__init__(config, activation, block)
        self.window: int | None = None

    def is_parted(self, x: Tensor) -> bool:
        return self.window is None or max(x.shape[-2:]) <= self.window

    def set_window(self, side: int | None) -> None:
        """Restore images larger than ``side`` in one piece; None parts every image.

        Where means are local, see :func:`models.pooling.set_pooling`, the parts would only make
        the result depend on where the middle of an image or a tile is.
        """
        self.window = side


class Encoder(nn.Module):
    """Features at full, half and quarter size; the second one adds those of the first stage."""

    def __init__(
        self,
        widths: Widths,
        block: MakeBlock,
        share: tuple[float, float],
        *,
        is_second: bool,
    ) -> None:
        super().__init__()
        self.levels = _levels(widths, block, share)
        self.downs = nn.ModuleList(
            plain_conv(fine, coarse, 1) for fine, coarse in itertools.pairwise(widths.levels)
        )
        cross = widths.levels if is_second else []
        self.from_encoder = nn.ModuleList(plain_conv(width, width, 1) for width in cross)
        self.from_decoder = nn.ModuleList(plain_conv(width, width, 1) for width in cross)

    def forward(
        self, x: Tensor, encoded: Sequence[Tensor] = (), decoded: Sequence[Tensor] = ()
    ) -> list[Tensor]:
        """Return features from fine to coarse, given those of the stage before likewise."""
        features: list[Tensor] = []
        for i, blocks in enumerate(self.levels):
            if i:
                x = self.downs[i - 1](bilinear_halve(x))
            x = blocks(x)
            if self.from_encoder:
                x = self.joined(i, x, encoded[i], decoded[i])
            features.append(x)
        return features

    def joined(self, level: int, x: Tensor, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Return features of one level with those of the stage before added."""
        total: Tensor = x + self.from_encoder[level](encoded) + self.from_decoder[level](decoded)
        return total


class Decoder(nn.Module):
    """Features from coarse to fine, each joined by what the encoder had at its size."""

    def __init__(self, widths: Widths, block: MakeBlock, share: tuple[float, float]) -> None:
        super().__init__()
        self.levels = _levels(widths, block, share)
        self.skips = nn.ModuleList(
            block(width, _at_level(share, i)) for i, width in enumerate(widths.levels[:-1])
        )
        self.ups = nn.ModuleList(
            Up(coarse, fine) for fine, coarse in itertools.pairwise(widths.levels)
        )

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """Return features from fine to coarse, like ``encoded``."""
        x = self.levels[-1](encoded[-1])
        features: list[Tensor] = [x]
        for i in reversed(range(len(self.ups))):
            x = self.levels[i](self.ups[i](x) + self.skips[i](encoded[i]))
            features.insert(0, x)
        return features


class Merge(nn.Module):
    """3×3 convolution of an image's features and those that the stage before has gated."""

    def __init__(self, features: int, channels_out: int) -> None:
        super().__init__()
        self.conv = plain_conv(2 * features, channels_out, 3)

    def forward(self, x: Tensor, gated: Tensor) -> Tensor:
        merged: Tensor = self.conv(torch.cat([x, gated], dim=1))
        return merged


class FullResolution(nn.Module):
    """Original-resolution subnetwork (ORSNet): groups of attention blocks, nothing resized.

    After each group come the second stage's features of one level, brought to full size.
    """

    def __init__(self, widths: Widths, block: MakeBlock) -> None:
        super().__init__()
        width = widths.features + widths.orsnet_growth
        levels = widths.levels
        self.groups = nn.ModuleList(
            nn.Sequential(
                *(block(width, WHOLE) for _ in range(widths.blocks_per_group)),
                plain_conv(width, width, 3),
            )
            for _ in levels
        )
        self.encoder_ups = nn.ModuleList(_ups_to_full(levels, i) for i in range(len(levels)))
        self.decoder_ups = nn.ModuleList(_ups_to_full(levels, i) for i in range(len(levels)))
        self.from_encoder = nn.ModuleList(plain_conv(widths.features, width, 1) for _ in levels)
        self.from_decoder = nn.ModuleList(plain_conv(widths.features, width, 1) for _ in levels)

    def forward(self, x: Tensor, encoded: Sequence[Tensor], decoded: Sequence[Tensor]) -> Tensor:
        for i, group in enumerate(self.groups):
            x = x + group(x)
            x = x + self.of_level(i, encoded[i], decoded[i])
        return x

    def of_level(self, level: int, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Return what the second stage's features of one level add, at full size.

        Published with a doubling before each 1×1 convolution and the sum at the end: all of these
        commute, and this order is least work.
        """
        total = self.at_level(level, encoded, decoded)
        for _ in range(level):
            total = bilinear_double(total)
        return total

    def at_level(self, level: int, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Return the same at the size of the level, of as many channels as this stage has."""
        for up in self.encoder_ups[level].children():
            encoded = up.get_submodule("conv")(encoded)
        for up in self.decoder_ups[level].children():
            decoded = up.get_submodule("conv")(decoded)
        return self.joined(level, encoded, decoded)

    def joined(self, level: int, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Return the sum of both."""
        total: Tensor = self.from_encoder[level](encoded) + self.from_decoder[level](decoded)
        return total


class Up(nn.Module):
    """1×1 convolution, then bilinear doubling.

    Published the other way round: the two commute, and this order is a quarter of the work.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = plain_conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return bilinear_double(self.conv(x))


def _levels(widths: Widths, block: MakeBlock, share: tuple[float, float]) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(*(block(width, _at_level(share, i)) for _ in range(2)))
        for i, width in enumerate(widths.levels)
    )


def _ups_to_full(widths: Sequence[int], level: int) -> nn.Sequential:
    return nn.Sequential(*(Up(widths[i], widths[i - 1]) for i in range(level, 0, -1)))


def _at_level(share: tuple[float, float], level: int) -> tuple[float, float]:
    return share[0] / 2**level, share[1] / 2**level


def _part(x: Tensor, dim: int) -> Tensor:
    """Return both halves along ``dim``, one after the other in the batch."""
    return torch.cat(_halves(x, dim))


def _join(x: Tensor, dim: int) -> Tensor:
    return torch.cat(_halves(x, 0), dim)


def _halves(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return both halves along ``dim``, as views.

    Not by ``chunk``, of which torch's ONNX exporter cannot say how many there are at a free size.
    """
    half = x.shape[dim] // 2
    return x.narrow(dim, 0, half), x.narrow(dim, half, half)


def _keep(x: Tensor, dim: int) -> Tensor:
    return x


def local_halo(config: Widths, window: int) -> int:
    """Return how many pixels away an output pixel can still depend on with local means.

    The longest way leads through every block of every stage, and each adds two convolutions and
    half a window: with windows of useful size that is thousands of pixels, nearly all of them
    through means, where a pixel is one among many. A window of one pixel stands for blocks that
    have no means. A test compares this with what is reached.
    """
    first = _block(window, QUARTER, 0) + _coder(window, QUARTER) + _coder(window, HALF)
    second = _coder(window, HALF) + _coder(window, WHOLE)
    third = 3 * (config.blocks_per_group * _block(window, WHOLE, 0) + 1)
    # Down- and upsampling reach 6 pixels in each U-Net, and four 3×3 convolutions are left.
    return first + second + third + 2 * 6 + 4


def _coder(window: int, share: tuple[float, float]) -> int:
    return sum(2 * _block(window, share, level) for level in range(3))


def _block(window: int, share: tuple[float, float], level: int) -> int:
    """Return the reach of an attention block in full-size pixels, along the width."""
    return (2 + window_at(window, _at_level(share, level)[1]) // 2) << level
