"""Muon: momentum whose every step turns the features of a layer by the same amount.

The step of a convolution is made orthogonal, so that the rare directions of its gradient count as
much as the common ones.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, with the
size of a step as in Liu et al., "Muon is Scalable for LLM Training", 2025, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
# A step changes each weight by this share of the learning rate, in the mean square: twice the
# paper's 0.2, which is about as far as Adam goes. Smaller ones were not compared.
STEP_SHARE = 0.4
# Of the quintic of Newton and Schulz: singular values between 0 and 1 come near 1 in five rounds.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
IMAGE_CHANNELS = 3


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return the nearest matrix whose singular values are about 1 (0.7 to 1.2).

    The rounds are made on the small square X Xᵀ, of which every factor is a polynomial, so that
    X itself is multiplied once instead of in each of them: the same result, 2 to 3 times as fast.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.mT if is_tall else matrix
    x = x / x.norm().clamp_min(1e-12)
    a, b, c = QUINTIC
    gram = x @ x.mT
    product = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(ROUNDS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor @ product
        gram = factor @ gram @ factor
    x = product @ x
    return x.mT if is_tall else x


def _is_hidden(parameter: nn.Parameter) -> bool:
    """Return whether it is the kernel of a convolution from features to features."""
    return parameter.ndim == 4 and min(parameter.shape[:2]) > IMAGE_CHANNELS


class Muon(Optimizer):
    """Muon for the kernels between features; Adam for those at the image, biases and scales."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        every = list(parameters)
        groups = [
            {"params": [p for p in every if _is_hidden(p) == is_hidden], "is_hidden": is_hidden}
            for is_hidden in (True, False)
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr, "betas": betas})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change every parameter that has a gradient; ``closure`` is for PyTorch's signature."""
        loss: float | None = None
        if closure is not None:
            with torch.enable_grad():
                loss = float(closure())
        for group in self.param_groups:
            change = self._turn if group["is_hidden"] else self._adapt
            for parameter in group["params"]:
                if parameter.grad is not None:
                    change(parameter, parameter.grad, group)
        return loss

    def _turn(self, kernel: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM).flatten(1)  # Nesterov's
        size = STEP_SHARE * max(ahead.shape) ** 0.5  # an orthogonal matrix has small entries
        kernel.add_(orthogonalized(ahead).view(kernel.shape), alpha=-group["lr"] * size)

    def _adapt(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[parameter], group["betas"]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
            state["steps"] = 0
        state["steps"] += 1
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].lerp_(gradient.square(), 1 - second)
        spread = (square / (1 - second ** state["steps"])).sqrt_().add_(1e-8)
        parameter.addcdiv_(mean, spread, value=-group["lr"] / (1 - first ** state["steps"]))
