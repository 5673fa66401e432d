"""What activations do to negative numbers."""

from __future__ import annotations

from torch import nn


def slope_of(layer: nn.Module) -> float | None:
    """Return what an activation multiplies negative numbers by; None if that is not all it does."""
    if isinstance(layer, nn.ReLU):
        return 0.0
    if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
        return float(layer.weight.item())
    return None
