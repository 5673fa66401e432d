"""The means that channel attention takes, over windows in one pass."""

from __future__ import annotations

from torch import Tensor

from models.blocks.attention import ContextMean
from restore_cli.engine.kernels import window_means


class FusedContextMean(ContextMean):
    """A :class:`ContextMean` on a compiled kernel where there is one."""

    def __init__(self, mean: ContextMean) -> None:
        super().__init__(mean.share)
        self.window = mean.window

    def of_windows(self, x: Tensor, height: int, width: int) -> Tensor:
        if window_means.can_take(x):
            return window_means.window_means(x, height, width)
        return super().of_windows(x, height, width)
