"""Display values ↔ linear light, and the highlights a display value has lost."""

from __future__ import annotations

import torch
from torch import Tensor


def to_linear(display: Tensor) -> Tensor:
    """Return linear light of sRGB values, both in [0, 1].

    Source: IEC 61966-2-1.
    """
    return torch.where(
        display <= 0.04045, display / 12.92, ((display.clamp(min=0) + 0.055) / 1.055) ** 2.4
    )


def to_display(linear: Tensor) -> Tensor:
    """Return sRGB values of linear light, both in [0, 1]; the inverse of :func:`to_linear`."""
    return torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055
    )


def lift_highlights(linear: Tensor, factor: Tensor, knee: float = 0.85) -> Tensor:
    """Raise what is nearly white above 1, as the scene was before the sensor clipped it.

    A moving light then leaves a streak that is still white, as in real night shots.

    Args:
        linear: (N, 3, H, W) linear light in [0, 1].
        factor: (N,) how bright a clipped white really was; 1 changes nothing.
        knee: below this luminance nothing changes; above it the gain rises to ``factor``.

    Source: saturation synthesis of RSBlur, Rim et al., ECCV 2022, section 4; the knee is ours.
    """
    brightest = linear.amax(dim=1, keepdim=True)
    share = ((brightest - knee) / (1 - knee)).clamp(0, 1)
    return linear * (1 + share * (factor.view(-1, 1, 1, 1) - 1))
