"""A network that tells restored images from clean ones, and the losses of both sides."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F


class Discriminator(nn.Module):
    """Judge an image piece by piece: (N, C, H, W) → logits (N, 1, H/8, W/8), rounded down.

    High where it looks clean. There is no batch normalization: clean and restored batches would
    betray themselves by their statistics.

    Source: patches judged one by one, Isola et al. 2017, arXiv:1611.07004. FormNet's own
    discriminator is not known.
    """

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        if channels < 1 or width < 1:
            raise ValueError(f"channels {channels} and width {width} must be positive")
        widths = [channels, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for channels_in, channels_out in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.body(x)
        return logits


def discriminator_loss(clean: Tensor, restored: Tensor) -> Tensor:
    """Return what the discriminator minimises: the cross-entropy of both kinds, added.

    Args:
        clean: its logits for clean images, of any shape.
        restored: its logits for restored images, which must not carry a gradient back to them.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    return F.softplus(-clean).mean() + F.softplus(restored).mean()


def adversarial_loss(restored: Tensor) -> Tensor:
    """Return what the restoring network minimises: low where its images pass for clean.

    Args:
        restored: the discriminator's logits for restored images, of any shape.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3, the form that does not saturate.
    """
    return F.softplus(-restored).mean()
