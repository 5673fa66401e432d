"""A convolution that also adds its bias, its activation or another tensor, in one pass."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from restore_cli.engine.kernels import winograd, winograd_bf16
from restore_cli.engine.kernels.conv3x3 import CompiledConv3x3
from restore_cli.engine.kernels.selection import kernels_for

M = TypeVar("M", bound=nn.Module)

_TUNED_SIDE = 256  # of the image that oneDNN chooses the order of the weights for


class FusedConv(nn.Module):
    """A trained convolution for inference on a CPU; its weights are ordered once.

    3×3 convolutions run on a compiled kernel, on AMX or by Winograd, where that is installed and
    wins, all others on oneDNN. Source: the operators that PyTorch's own compiler uses for CPUs.
    """

    def __init__(self, conv: nn.Conv2d, slope: float | None, dtype: torch.dtype) -> None:
        """Take over a convolution.

        Args:
            conv: padded with zeros by numbers of pixels.
            slope: of negative results: 0 is ReLU, None no activation.
            dtype: of weights, input and result.
        """
        super().__init__()
        weight = conv.weight.detach()
        bias = None if conv.bias is None else conv.bias.detach()
        self._slope = slope
        self._dtype = dtype
        kernels = kernels_for(dtype)
        self._kernel: CompiledConv3x3 | None = None
        if kernels is not None and kernels.Conv3x3.takes(conv):
            self._kernel = kernels.Conv3x3(weight, bias)
            return
        self._geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        side = [1, conv.in_channels, _TUNED_SIDE, _TUNED_SIDE]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight.to(dtype, memory_format=torch.channels_last), *self._geometry, side
        )
        self._bias = None if bias is None else bias.to(dtype)

    @property
    def takes_room(self) -> bool:
        """Whether the result can lie in memory that is given."""
        return self._kernel is not None

    def forward(self, x: Tensor, room: Tensor | None = None) -> Tensor:
        """Return activation(convolution(x)), channels last.

        Args:
            x: (N, C, H, W).
            room: like the result, which takes its memory if it `takes_room`.
        """
        x = self._laid_out(x)
        if self._kernel is not None:
            return self._kernel(x, self._slope, out=room)
        kind, numbers = _POST_OPS[self._slope] if self._slope in _POST_OPS else _leaky(self._slope)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._geometry, kind, numbers, ""
        )
        return result

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """Return total + convolution(x), in the memory of ``total``; without activation."""
        x = self._laid_out(x)
        is_laid_out = total.is_contiguous(memory_format=torch.channels_last)
        if not is_laid_out or total.dtype != self._dtype:
            return total.add_(self(x))
        if self._kernel is not None:
            return self._kernel(x, add=total, out=total)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            total, x, self._weight, self._bias, *self._geometry, "add", 1.0, None, [], None
        )
        return result

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Return convolution(x) + other, without activation."""
        x = self._laid_out(x)
        if self._kernel is not None:
            return self._kernel(x, add=self._laid_out(other))
        if other.dtype != self._dtype:  # as the sum in full precision would be
            summed: Tensor = other + self(x)
            return summed
        result: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self._weight, self._bias, *self._geometry, "add", 1.0, None, [], None
        )
        return result

    def _laid_out(self, x: Tensor) -> Tensor:
        return x.to(self._dtype, memory_format=torch.channels_last)


_POST_OPS: dict[float | None, tuple[str, list[float]]] = {None: ("none", []), 0.0: ("relu", [])}


def _leaky(slope: float | None) -> tuple[str, list[float]]:
    return "leaky_relu", [0.0 if slope is None else slope]


def can_fuse(conv: nn.Conv2d) -> bool:
    """Return whether :class:`FusedConv` takes over this convolution."""
    return conv.padding_mode == "zeros" and not isinstance(conv.padding, str)


def runs_on_winograd(conv: nn.Conv2d, dtype: torch.dtype) -> bool:
    """Return whether :class:`FusedConv` computes it with fewer multiplications than there are."""
    kernels = kernels_for(dtype)
    return kernels in (winograd, winograd_bf16) and kernels.Conv3x3.takes(conv)


def convolution(weight: Tensor, bias: Tensor | None, padding: int = 0) -> nn.Conv2d:
    """Return a convolution with these parameters, which need no gradient."""
    out, channels, height, width = weight.shape
    conv = nn.Conv2d(channels, out, (height, width), padding=padding, bias=False, device="meta")
    conv.weight = nn.Parameter(weight.detach(), requires_grad=False)
    conv.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
    return conv


def as_kind(kind: type[M], module: nn.Module) -> M:
    """Return a part of a network as what it is.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(module, kind):
        raise TypeError(f"a {type(module).__name__}, where a {kind.__name__} was trained")
    return module
