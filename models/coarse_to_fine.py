"""One network at several sizes of an image, the smallest first.

What it changes at half the size is added to the image before it sees the whole: long streaks are
half as long there, and are shortened before fine detail is looked for. Source: weights shared
between scales as in Tao et al., "Scale-recurrent Network for Deep Image Deblurring", CVPR 2018,
arXiv:1802.01770, section 3.1; there the result itself and features are handed on, here the change.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from models.blocks.resize import bicubic_double, bilinear_halve

Stages = Callable[[Tensor], tuple[Tensor, ...]]


def coarse_to_fine(stages: Stages, x: Tensor, scales: int) -> tuple[Tensor, ...]:
    """Return what a network makes of an image after all coarser ones.

    Args:
        stages: the network at one scale: (N, 3, h, w) to images of that size, the final one first.
        x: (N, 3, H, W), with H and W multiples of what it takes times ``2**(scales - 1)``.
        scales: how many sizes, each half the next; 1 is the image alone.
    """
    if scales > 1:
        coarse = bilinear_halve(x)
        x = x + bicubic_double(coarse_to_fine(stages, coarse, scales - 1)[0] - coarse)
    return stages(x)
