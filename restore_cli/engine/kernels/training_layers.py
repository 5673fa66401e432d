"""Train convolutions and residual blocks on the compiled kernels, forward and backward."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from models.blocks.activation import slope_of
from models.blocks.attention import ChannelAttentionBlock, SharesActivation
from models.blocks.conv import ResidualBlock
from models.mirnet import DualAttentionUnit
from models.mprnet_local import PlainBlock
from restore_cli.engine.kernels.selection import kernels_for


def use_compiled_kernels(network: nn.Module, dtype: torch.dtype = torch.float32) -> int:
    """Exchange the convolutions of a network for faster ones, and return how many there were.

    They keep their parameters and names, so optimizers, checkpoints and weights files see the same
    network. A step of a slim MIMO-UNet took half the time on one thread. Does nothing where there
    are no kernels.

    Args:
        network: in float32 on the CPU.
        dtype: that it computes with: bfloat16 is autocast's.
    """
    kernels = kernels_for(dtype)
    if kernels is None:
        return 0
    count = 0
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is not nn.Conv2d:
                continue
            if kernels.Conv3x3.takes(child):
                setattr(module, name, CompiledConv2d(child))
                count += 1
            elif dtype == torch.float32 and _is_pointwise(child):
                child.__class__ = PointwiseConv2d
                count += 1
    for module in network.modules():
        kind = _COMPILED.get(type(module))
        if kind is not None and isinstance(module.conv1, CompiledConv2d):
            module.__class__ = kind
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
        if _kernels_for(x) is None:
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
        if _kernels_for(x) is None:
            return super().forward(x)
        first, second = self.conv1, self.conv2
        result: Tensor = _TwoConvolutions.apply(  # type: ignore[no-untyped-call]
            x, first.weight, first.bias, second.weight, second.bias, None, True
        )
        return result


class CompiledPlainBlock(PlainBlock):
    """Likewise, with a PReLU that belongs to the network."""

    def forward(self, x: Tensor) -> Tensor:
        return _features(self, x, plus_input=True) if _is_leaky(self, x) else super().forward(x)


class _CompiledFeatures(SharesActivation):
    """Likewise, for blocks that go on with the features before the input is added."""

    def features(self, x: Tensor) -> Tensor:
        return _features(self, x) if _is_leaky(self, x) else super().features(x)


class CompiledChannelAttentionBlock(_CompiledFeatures, ChannelAttentionBlock):
    """A block with channel attention."""


class CompiledDualAttentionUnit(_CompiledFeatures, DualAttentionUnit):
    """A block with attention to channels and to places."""


_COMPILED: dict[type[nn.Module], type[nn.Module]] = {
    ResidualBlock: CompiledResidualBlock,
    PlainBlock: CompiledPlainBlock,
    ChannelAttentionBlock: CompiledChannelAttentionBlock,
    DualAttentionUnit: CompiledDualAttentionUnit,
}

# The gradient of a slope is found from what comes out, divided by the slope.
_LEAST_SLOPE = 1e-4


def _is_leaky(block: SharesActivation, x: Tensor) -> bool:
    return _kernels_for(x) is not None and (slope_of(block.activation) or 0.0) > _LEAST_SLOPE


def _features(block: SharesActivation, x: Tensor, *, plus_input: bool = False) -> Tensor:
    weights = [conv.get_parameter("weight") for conv in (block.conv1, block.conv2)]
    slope = block.activation.get_parameter("weight")
    result: Tensor = _TwoConvolutions.apply(  # type: ignore[no-untyped-call]
        x, weights[0], None, weights[1], None, slope, plus_input
    )
    return result


class _TwoConvolutions(torch.autograd.Function):
    """Convolution, ReLU or with a slope leaky ReLU, and convolution; plus the input if wanted."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight1: Tensor,
        bias1: Tensor | None,
        weight2: Tensor,
        bias2: Tensor | None,
        slope: Tensor | None,
        plus_input: bool,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.slope, ctx.plus_input = 0.0 if slope is None else slope.item(), plus_input
        kernels = _required_kernels(x)
        inside = kernels.convolve(x, weight1, bias1, slope=ctx.slope)
        ctx.save_for_backward(x, inside, weight1, weight2)
        result: Tensor = kernels.convolve(inside, weight2, bias2, add=x if plus_input else None)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, inside, weight1, weight2 = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        kernels = _required_kernels(x)
        within = kernels.input_gradient(gradient, weight2, gate=inside, slope=ctx.slope)
        of_weight1, of_bias1 = kernels.weight_gradient(x, within)
        of_weight2, of_bias2 = kernels.weight_gradient(inside, gradient)
        _, _, has_bias1, _, has_bias2, has_slope, _ = ctx.needs_input_grad
        return (
            kernels.input_gradient(within, weight1, add=gradient if ctx.plus_input else None),
            of_weight1,
            of_bias1 if has_bias1 else None,
            of_weight2,
            of_bias2 if has_bias2 else None,
            _slope_gradient(within, inside, ctx.slope) if has_slope else None,
            None,
        )


def _slope_gradient(within: Tensor, inside: Tensor, slope: float) -> Tensor:
    """Return (1,) from the gradient before a leaky ReLU and from what came out of it.

    Where the slope was applied, both have it as a factor.
    """
    products = within * inside.clamp(max=0)
    return (products.sum(dtype=torch.float32) / slope**2).reshape(1)


class _Conv3x3(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: ANN401
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x, weight)
        result: Tensor = _required_kernels(x).convolve(x, weight, bias)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        kernels = _required_kernels(x)
        of_input = kernels.input_gradient(gradient, weight) if ctx.needs_input_grad[0] else None
        of_weight, of_bias = kernels.weight_gradient(x, gradient)
        return of_input, of_weight, of_bias if ctx.needs_input_grad[2] else None


def _kernels_for(x: Tensor) -> ModuleType | None:
    """Return the kernels that compute with this image, or None where PyTorch does."""
    if x.device.type != "cpu":  # moved since
        return None
    if x.dtype == torch.float32 and torch.is_autocast_enabled("cpu"):
        return None
    return kernels_for(x.dtype)


def _required_kernels(x: Tensor) -> ModuleType:
    kernels = kernels_for(x.dtype)
    if kernels is None:
        raise RuntimeError(f"no compiled kernels for {x.dtype}")
    return kernels


def _is_pointwise(conv: nn.Conv2d) -> bool:
    geometry = (conv.kernel_size, conv.stride, conv.padding, conv.groups)
    return geometry == ((1, 1), (1, 1), (0, 0), 1)
