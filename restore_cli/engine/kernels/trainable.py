"""Train convolutions and residual blocks on the compiled kernels, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from models.blocks.conv import ResidualBlock
from restore_cli.engine.kernels import winograd


def use_compiled_kernels(network: nn.Module) -> int:
    """Exchange the convolutions of a network for faster ones, and return how many there were.

    They keep their parameters and names, so optimizers, checkpoints and weights files see the same
    network. A step of a slim MIMO-UNet took half the time on one thread. Does nothing where there
    are no kernels.

    Args:
        network: in float32 on the CPU.
    """
    if not winograd.is_available():
        return 0
    count = 0
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is not nn.Conv2d:
                continue
            if winograd.Conv3x3.takes(child):
                setattr(module, name, CompiledConv2d(child))
                count += 1
            elif _is_pointwise(child):
                child.__class__ = PointwiseConv2d
                count += 1
    for module in network.modules():
        if type(module) is ResidualBlock and isinstance(module.conv1, CompiledConv2d):
            module.__class__ = CompiledResidualBlock
    return count


class CompiledConv2d(nn.Conv2d):
    """A 3×3 convolution that computes, and learns, on the compiled kernels."""

    def __init__(self, conv: nn.Conv2d) -> None:
        """Share the parameters of a convolution with stride 1 and a zero padding of 1."""
        super().__init__(
            conv.in_channels, conv.out_channels, 3, padding=1, bias=False, device="meta"
        )
        self.weight = conv.weight
        self.bias = conv.bias
        self.train(conv.training)

    def forward(self, x: Tensor) -> Tensor:
        if not _is_for_kernels(x):
            return super().forward(x)
        result: Tensor = _Conv3x3.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return result


class PointwiseConv2d(nn.Conv2d):
    """A 1×1 convolution as the matrix product that it is, which is faster on one thread."""

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1)  # channels-last, this is how it lies in memory
        return F.linear(pixels, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class CompiledResidualBlock(ResidualBlock):
    """A residual block whose ReLU and sums are done where the convolutions write."""

    def forward(self, x: Tensor) -> Tensor:
        if not _is_for_kernels(x):
            return super().forward(x)
        first, second = self.conv1, self.conv2
        result: Tensor = _Residual.apply(  # type: ignore[no-untyped-call]
            x, first.weight, first.bias, second.weight, second.bias
        )
        return result


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight1: Tensor,
        bias1: Tensor,
        weight2: Tensor,
        bias2: Tensor,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        inside = winograd.convolve(x, weight1, bias1, slope=0.0)
        ctx.save_for_backward(x, inside, weight1, weight2)
        return winograd.convolve(inside, weight2, bias2, add=x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        x, inside, weight1, weight2 = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        within = winograd.input_gradient(gradient, weight2, gate=inside)
        return (
            winograd.input_gradient(within, weight1, add=gradient),
            *winograd.weight_gradient(x, within),
            *winograd.weight_gradient(inside, gradient),
        )


class _Conv3x3(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: ANN401
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x, weight)
        return winograd.convolve(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_input = winograd.input_gradient(gradient, weight) if ctx.needs_input_grad[0] else None
        of_weight, of_bias = winograd.weight_gradient(x, gradient)
        return of_input, of_weight, of_bias if ctx.needs_input_grad[2] else None


def _is_for_kernels(x: Tensor) -> bool:
    return x.dtype == torch.float32 and x.device.type == "cpu"  # not autocast, and not moved since


def _is_pointwise(conv: nn.Conv2d) -> bool:
    geometry = (conv.kernel_size, conv.stride, conv.padding, conv.groups)
    return geometry == ((1, 1), (1, 1), (0, 0), 1)
