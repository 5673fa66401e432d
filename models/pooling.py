"""Where channel attention takes its means: over the whole image or over windows."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class _Windowed(Protocol):
    def set_window(self, side: int | None) -> None: ...


def set_pooling(model: nn.Module, window: int | None) -> None:
    """Make every channel attention of a network take its means over windows, or the whole image.

    With windows as large as the patches a network was trained on, a photograph is restored as those
    patches were, and an output pixel depends on a bounded neighbourhood, so that tiles can agree
    with the whole. An image no larger than the window is restored exactly as without. A network
    that has no such means is left as it is.

    Args:
        model: changed in place; the weights stay as they are.
        window: side in full-size pixels; None is the whole image, as networks are trained.

    Raises:
        ValueError: a window of less than one pixel.

    Source: Chu et al., "Improving Image Restoration by Revisiting Global Information
    Aggregation", ECCV 2022, arXiv:2112.04491.
    """
    if window is not None and window < 1:
        raise ValueError(f"window {window} is less than 1")
    for module in model.modules():
        if isinstance(module, _Windowed):
            module.set_window(window)
