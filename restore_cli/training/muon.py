"""Muon: steps of equal size in every direction that the gradient of a layer points to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_MOMENTUM = 0.95
_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that drives singular values to 1
_ADAM_RMS = 0.2  # of an update, so that learning rates mean what they do for Adam
_EPS = 1e-8


class Muon(Optimizer):
    """Muon for the weights of convolutions, Adam for biases and slopes.

    Adam follows what is loud in a gradient. Here the momentum of each weight, as a matrix of output
    channels by everything else, is replaced by the nearest orthogonal one: what is rare, such as
    how to undo a long streak of one direction, is learned as fast as what is common.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the
    size of a step after Liu et al., arXiv:2502.16982, section 2.2.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; ``closure`` is not for this optimizer."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if parameter.ndim > 1:
                    update = _orthogonal_update(parameter.grad, state)
                else:
                    update = _adam_update(parameter.grad, state, group["betas"])
                parameter.add_(update, alpha=-group["lr"])
        return None


def _orthogonal_update(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    momentum = state.setdefault("momentum", torch.zeros_like(gradient))
    momentum.lerp_(gradient, 1 - _MOMENTUM)
    ahead = gradient.lerp(momentum, _MOMENTUM)  # Nesterov
    matrix = ahead.flatten(1)
    update = orthogonalized(matrix) * _ADAM_RMS * max(matrix.shape) ** 0.5
    return update.view_as(gradient)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix whose singular values are all 1; they come out near it.

    Args:
        matrix: (m, n) float.
    """
    a, b, c = _COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / (x.norm() + _EPS)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x


def _adam_update(gradient: Tensor, state: dict[str, Any], betas: tuple[float, float]) -> Tensor:
    state["step"] = step = state.get("step", 0) + 1
    first = state.setdefault("first", torch.zeros_like(gradient))
    second = state.setdefault("second", torch.zeros_like(gradient))
    first.lerp_(gradient, 1 - betas[0])
    second.lerp_(gradient.square(), 1 - betas[1])
    corrected = second / (1 - betas[1] ** step)
    return first / (1 - betas[0] ** step) / (corrected.sqrt() + _EPS)
