"""MPRNet without channel attention: the same three stages of plain residual blocks.

A variant of ours. Means over whole images are what keeps MPRNet from working in tiles, and they
take most of the time of a slim one; without them it learned to deblur as fast.

Source: Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021, arXiv:2102.02808;
blocks after Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution",
CVPR Workshops 2017, arXiv:1707.02921, figure 2c.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from models.blocks.attention import SharesActivation
from models.blocks.conv import plain_conv
from models.coarse_to_fine import coarse_to_fine
from models.mprnet import ThreeStages, Widths, local_halo


@dataclass(frozen=True, slots=True)
class LocalMPRNetConfig(Widths):
    """Size of an MPRNet without attention; the defaults are slim enough for two CPU cores."""

    features: int = 16
    unet_growth: int = 8
    orsnet_growth: int = 0
    blocks_per_group: int = 1
    scales: int = 1  # sizes of the image, each half the next, that are restored one after another

    def __post_init__(self) -> None:
        Widths.__post_init__(self)
        if self.scales < 1:
            raise ValueError(f"scales {self.scales} is less than 1")


LOCAL_MPRNET = LocalMPRNetConfig()


class PlainBlock(SharesActivation):
    """3×3 convolution, PReLU, 3×3 convolution, plus the input."""

    def __init__(self, channels: int, activation: nn.PReLU) -> None:
        super().__init__()
        self.conv1 = plain_conv(channels, channels, 3)
        self.conv2 = plain_conv(channels, channels, 3)
        self.share_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return features like ``x``, (N, C, H, W)."""
        return x + self.features(x)


class LocalMPRNet(ThreeStages):
    """Three images of the size of the input: (N, 3, H, W) with H and W multiples of 8.

    With several scales, of 8 doubled for each but the first. Every stage sees the image in one
    piece, so that an output pixel depends on its surroundings only, and tiles are exact.
    """

    def __init__(self, config: LocalMPRNetConfig = LOCAL_MPRNET) -> None:
        activation = nn.PReLU()

        def block(width: int, share: tuple[float, float]) -> PlainBlock:
            del share  # of no matter to convolutions
            return PlainBlock(width, activation)

        super().__init__(config, activation, block)
        self.scales = config.scales

    def at_one_scale(self, x: Tensor) -> tuple[Tensor, ...]:
        return super().forward(x)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return coarse_to_fine(self.at_one_scale, x, self.scales)


def halo(config: LocalMPRNetConfig) -> int:
    """Return how many pixels away an output pixel depends on, at each scale."""
    return local_halo(config, window=1)
