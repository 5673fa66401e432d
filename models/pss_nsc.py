"""PSS-NSC: one encoder and decoder for three scales, which share what does not depend on scale.

Source: Gao et al., "Dynamic Scene Deblurring with Parameter Selective Sharing and Nested Skip
Connections", CVPR 2019, section 3 and figures 2 to 5. Sharing, padding and resizing are those of
the authors' released network, which is larger than the one the paper reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.base import RestorationModel
from models.blocks.conv import ResidualBlock, UpConvReLU
from models.blocks.resize import corner_double

_SCALES = 3  # full, half and quarter size


@dataclass(frozen=True, slots=True)
class PSSNSCConfig:
    """Size of a PSS-NSC; the defaults are the released network."""

    width: int = 32  # channels at the size of a scale; twice and four times as many below
    units: int = 4  # units of two convolutions in each nested block
    repeats: int = 2  # times that a nested block is applied, with the same weights

    def __post_init__(self) -> None:
        for name in ("width", "units", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is less than 1")


PSS_NSC = PSSNSCConfig()


class PSSNSC(RestorationModel):
    """Three scales, each given the result of the coarser one: (N, C, H, W), multiples of 16.

    Each colour plane is restored by itself with the same weights, so that C is free. ``forward``
    returns the images at full, half and quarter size. What one scale hands to the next carries no
    gradient.
    """

    def __init__(self, config: PSSNSCConfig = PSS_NSC) -> None:
        super().__init__()
        widths = [config.width, config.width * 2, config.width * 4]
        # Shared by all scales. Lists run from fine to coarse.
        self.encoders = nn.ModuleList(NestedBlock(width, config) for width in widths)
        self.decoders = nn.ModuleList(NestedBlock(width, config) for width in widths)
        # What takes features out of an image and makes an image of them is each scale's own.
        self.scales = nn.ModuleList(Scale(widths) for _ in range(_SCALES))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        planes = x.flatten(0, 1).unsqueeze(1)
        restored: list[Tensor] = []
        for scale in reversed(range(_SCALES)):
            step = 2**scale
            degraded = planes[..., ::step, ::step]
            before = corner_double(restored[0].detach()) if restored else degraded
            image = self.scales[scale](degraded, before, self.encoders, self.decoders)
            restored.insert(0, image)
        return tuple(image.reshape(*x.shape[:2], *image.shape[-2:]) for image in restored)

    def output_layers(self) -> tuple[nn.Module, ...]:
        return tuple(self.get_submodule(f"scales.{scale}.tail") for scale in range(_SCALES))


class Scale(nn.Module):
    """One scale: the convolutions that it has to itself, around the blocks it shares."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        full, half, quarter = widths
        self.head = nn.Sequential(nn.Conv2d(2, full, 3, padding=1), nn.ReLU(inplace=True))
        self.downs = nn.ModuleList([CornerDown(full, half), CornerDown(half, quarter)])
        self.ups = nn.ModuleList([UpConvReLU(half, full), UpConvReLU(quarter, half)])
        self.tail = nn.Conv2d(full, 1, 3, padding=1)

    def forward(
        self, degraded: Tensor, before: Tensor, encoders: nn.ModuleList, decoders: nn.ModuleList
    ) -> Tensor:
        """Return the restored planes (N, 1, h, w), given those of the coarser scale likewise."""
        full = encoders[0](self.head(torch.cat([degraded, before], dim=1)))
        half = encoders[1](self.downs[0](full))
        deep = decoders[2](encoders[2](self.downs[1](half)))
        half = decoders[1](self.ups[1](deep) + half)
        full = decoders[0](self.ups[0](half) + full)
        image: Tensor = self.tail(full) + degraded
        return image


class NestedBlock(nn.Sequential):
    """Units that each see the input plus the results of all units before them, all of it repeated.

    Written out, that sum is carried along and each unit adds to it: a chain of residual blocks.
    """

    def __init__(self, channels: int, config: PSSNSCConfig) -> None:
        super().__init__(*(ResidualBlock(channels) for _ in range(config.units)))
        self._repeats = config.repeats

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self._repeats):
            for unit in self:
                x = unit(x)
        return x


class CornerDown(nn.Module):
    """A 3×3 convolution of stride 2, then ReLU; even sizes are padded below and right only.

    That is what TensorFlow means by SAME padding.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(F.pad(x, (0, 1, 0, 1))), inplace=True)


def halo(config: PSSNSCConfig) -> int:
    """Return how many pixels away on each side an output pixel can still depend on.

    The longest way leads through every block of every scale: two 3×3 convolutions a unit, in
    encoder and decoder at three sizes of each of three scales (196 pixels for each unit and
    repeat), and up to 84 pixels for what is between them. A test compares this with what is
    reached.
    """
    return 196 * config.units * config.repeats + 84
