"""The result's own check: nothing that cannot be right leaves the engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from restore_cli.engine.channels import Pixels
from restore_cli.errors import ResultError

# Deblurring moves light about and keeps how much there is; removing noise lifts black at most by
# the noise that was clipped there, 0.08 at a sigma of 50/255. A wrong result is further off.
MAX_MEAN_SHIFT = 0.1
# A mean over fewer pixels says little.
_MIN_PIXELS = 32 * 32
# Tasks that are meant to change brightness: rain adds the light of the sky.
_SHIFTING_TASKS = ("enhance", "derain")

MIN_AGREEMENT_DB = 50.0  # errors of 0.8 of an 8-bit step; good bf16 networks reach 51 to 53


def finite_or_again(restored: Tensor, again_in_fp32: Callable[[], Tensor]) -> Tensor:
    """Return ``restored`` if all of it is finite, else what the second try gives.

    Raises:
        ResultError: that is not finite either.
    """
    if _is_finite(restored):
        return restored
    restored = again_in_fp32()
    if not _is_finite(restored):
        raise ResultError(
            "the network gave values that are not finite", hint="the weights are unusable"
        )
    return restored


class ColourCheck:
    """Passes a result whose channels have kept their mean; it is shown rows as they come."""

    def __init__(self, task: str) -> None:
        """Start with no rows.

        Args:
            task: "enhance" and "derain" may change brightness; no other may.
        """
        self._is_off = task in _SHIFTING_TASKS
        self._pixels = 0
        self._before = self._after = np.zeros(1)

    def add(self, before: Pixels, after: Pixels) -> None:
        """Take in some rows.

        Args:
            before: (h, W, C), what was given to the network.
            after: (h, W, C), what came back.
        """
        if self._is_off:
            return
        self._pixels += before.shape[0] * before.shape[1]
        self._before = self._before + before.sum((0, 1), dtype=np.float64)
        self._after = self._after + after.sum((0, 1), dtype=np.float64)

    def finish(self) -> None:
        """Judge all rows together.

        Raises:
            ResultError: the mean of a channel moved by more than ``MAX_MEAN_SHIFT``, or for values
                above 1 by more than that share of their mean.
        """
        if self._is_off or self._pixels < _MIN_PIXELS:
            return
        before, after = self._before / self._pixels, self._after / self._pixels
        shift = np.abs(after - before) / np.maximum(1.0, np.abs(before))
        if shift.max() > MAX_MEAN_SHIFT:
            raise ResultError(
                f"the mean colour is off by {100 * shift.max():.0f} % of the range",
                hint="try --precision fp32 or another model",
            )


def agrees(half: Tensor, full: Tensor) -> bool:
    """Return whether a result in half precision is as good as that in fp32."""
    error = (half - full).square().mean().item()
    return error <= 10 ** (-MIN_AGREEMENT_DB / 10)  # False for NaN


def _is_finite(image: Tensor) -> bool:
    return bool(torch.isfinite(image).all())
