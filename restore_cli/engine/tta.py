"""Test-time augmentation: the eight flips and turns, averaged."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def over_eight_views(restore: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a function that restores (N, C, H, W) in eight orientations and averages.

    Takes eight times as long and no more memory than one view and its sum.

    Source: geometric self-ensemble, Lim et al. 2017, arXiv:1707.02921, section 3.4.
    """

    def restore_views(image: Tensor) -> Tensor:
        total = restore(image)
        for turns in range(4):
            for is_flipped in (False, True):
                if turns or is_flipped:
                    total = total + _unturned(
                        restore(_turned(image, turns, is_flipped)), turns, is_flipped
                    )
        return total / 8

    return restore_views


def _turned(image: Tensor, turns: int, is_flipped: bool) -> Tensor:
    turned = image.rot90(turns, (-2, -1))
    return turned.flip(-1) if is_flipped else turned


def _unturned(image: Tensor, turns: int, is_flipped: bool) -> Tensor:
    image = image.flip(-1) if is_flipped else image
    return image.rot90(-turns, (-2, -1))
