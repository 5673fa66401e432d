"""3×3 convolutions of channels-last bfloat16 images on Intel's AMX, by our own library.

The library (`amx.cpp`, `amx_gradient.cpp`) is built on installation where a C++ compiler knows AMX,
and used on Linux where the processor has it, which is from Sapphire Rapids on. Ask `is_available`
before anything else here; where it says no, oneDNN does the same, slower where there are few
channels.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from restore_cli.engine.kernels.conv3x3 import CompiledConv3x3, declare, declare_gradient
from restore_cli.engine.kernels.library import is_switched_off, load_library, required
from restore_cli.engine.kernels.residual_block import CompiledBlock, declare_block

LIBRARY: Final = Path(__file__).with_name("libamx.so")

_INTERFACE: Final = 2  # of the library, see amx.cpp
_SIDE: Final = 16  # output channels of a tile
_DEPTH: Final = 32  # numbers that one product sums over


def is_available() -> bool:
    """Whether the library is there, this processor runs it, and RESTORE_KERNELS is not "off"."""
    return not is_switched_off() and _library() is not None


class Conv3x3(CompiledConv3x3):
    """As fast as oneDNN's or faster wherever it can be used (tests/benchmarks/kernels.py).

    1.1 to 1.6 times with 16 channels, 0.9 to 1.2 with 8 and 24, 1.0 to 1.2 with 40 and more.
    Weights are rounded to bfloat16, results once.
    """

    dtype = torch.bfloat16

    @staticmethod
    def library() -> ctypes.CDLL | None:
        return _library()

    @classmethod
    def function(cls, library: ctypes.CDLL) -> Any:  # noqa: ANN401 - ctypes' own
        return library.restore_amx_conv3x3

    @classmethod
    def scratch_floats(cls, library: ctypes.CDLL, width: int, channels_in: int) -> int:
        return -(-int(library.restore_amx_scratch(width, channels_in)) // 2)

    @classmethod
    def ordered(cls, weight: Tensor, *, backwards: bool = False) -> Tensor:
        """Return (panels, 3, products, 16, 16, 2), bfloat16: see the library."""
        taps = weight.detach().float().contiguous()
        channels = list(weight.shape[:2])
        strides = [9 * channels[1], 9]
        if backwards:
            channels.reverse()
            strides.reverse()
        panels, products = -(-channels[0] // _SIDE), -(-3 * channels[1] // _DEPTH)
        shape = (panels, 3, products, _DEPTH // 2, _SIDE, 2)
        out = torch.empty(shape, dtype=torch.bfloat16)
        required(_library()).restore_amx_order(
            taps.data_ptr(), out.data_ptr(), *channels, *strides, backwards
        )
        return out


convolve, input_gradient = Conv3x3.convolve, Conv3x3.input_gradient


class ResidualBlock(CompiledBlock):
    """1.1 to 1.4 times as fast as the two convolutions by themselves."""

    @staticmethod
    def library() -> ctypes.CDLL | None:
        return _library()

    @classmethod
    def function(cls, library: ctypes.CDLL) -> Any:  # noqa: ANN401 - ctypes' own
        return library.restore_amx_block

    @classmethod
    def scratch_floats(cls, library: ctypes.CDLL, width: int, channels_in: int) -> int:
        return Conv3x3.scratch_floats(library, width, channels_in)

    @classmethod
    def ordered(cls, weight: Tensor) -> Tensor:
        return Conv3x3.ordered(weight)

    @classmethod
    def takes_each(cls, conv: nn.Conv2d) -> bool:
        return Conv3x3.takes(conv)


def weight_gradient(x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to a convolution's weight and bias.

    1.3 to 1.8 times as fast as oneDNN's (16 to 112 channels, images of 32² to 192²).

    Args:
        x: the input, (N, in, H, W), bfloat16, finite; copied if it is not channels-last.
        gradient: with respect to the output, (N, out, H, W), the same.

    Returns:
        (out, in, 3, 3) and (out,), float32, summed as such.

    Raises:
        ValueError: a shape, type or device that does not fit.
        RuntimeError: the kernels are not available.
    """
    channels_in, channels_out = x.shape[1], gradient.shape[1]
    library = required(_library())
    function = library.restore_amx_weight_gradient
    numbers = library.restore_amx_gradient_scratch(x.shape[3], channels_in, channels_out)
    panels_out, panels_in = -(-channels_out // _SIDE), -(-channels_in // _SIDE)
    tiles = panels_out, panels_in, 3, 3, _SIDE, _SIDE
    sums, of_bias = Conv3x3.weight_sums(function, x, gradient, tiles, -(-numbers // 2))
    taps = sums.permute(0, 4, 1, 5, 2, 3).reshape(panels_out * _SIDE, panels_in * _SIDE, 3, 3)
    return taps[:channels_out, :channels_in].contiguous(), of_bias


def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_amx_interface() == _INTERFACE
    library.restore_amx_scratch.argtypes = [ctypes.c_int64] * 2
    library.restore_amx_scratch.restype = ctypes.c_int64
    declare(library.restore_amx_conv3x3)
    declare_block(library.restore_amx_block)
    library.restore_amx_gradient_scratch.argtypes = [ctypes.c_int64] * 3
    library.restore_amx_gradient_scratch.restype = ctypes.c_int64
    declare_gradient(library.restore_amx_weight_gradient)
    order = library.restore_amx_order
    order.argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 4, ctypes.c_int]
    order.restype = None
    return is_ours and bool(library.restore_amx_supported())
