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

from restore_cli.engine.kernels.conv3x3 import (
    CompiledConv3x3,
    address,
    channels_last,
    declare,
    declare_gradient,
)
from restore_cli.engine.kernels.library import is_switched_off, load_library, required, scratch
from restore_cli.engine.kernels.threads import Split

LIBRARY: Final = Path(__file__).with_name("libamx.so")

_INTERFACE: Final = 2  # of the library, see amx.cpp
_SIDE: Final = 16  # output channels of a tile
_DEPTH: Final = 32  # numbers that one product sums over
_REACH: Final = 2  # rows that a residual block sees on either side


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


class ResidualBlock:
    """Two 3×3 convolutions with an activation between them, plus their input.

    What is between them is rounded as a result of :class:`Conv3x3` is, and never written to memory:
    1.1 to 1.4 times as fast as the two by themselves.
    """

    @staticmethod
    def takes(conv1: nn.Conv2d, conv2: nn.Conv2d) -> bool:
        """Whether a block of these can be computed here: all of as many channels."""
        shapes = {conv1.weight.shape, conv2.weight.shape, conv1.weight.transpose(0, 1).shape}
        return len(shapes) == 1 and Conv3x3.takes(conv1) and Conv3x3.takes(conv2)

    def __init__(self, conv1: nn.Conv2d, slope: float, conv2: nn.Conv2d) -> None:
        """Round and order the weights; later changes to them are not seen.

        Args:
            conv1: the first one; `takes` accepts it together with the second.
            slope: factor of negative values between them; 0 is ReLU.
            conv2: the second one.
        """
        self._first, self._second = (Conv3x3(conv.weight, conv.bias) for conv in (conv1, conv2))
        self._channels = conv1.in_channels
        self._slope = slope

    def __call__(self, x: Tensor, *, in_place: bool = False) -> Tensor:
        """Return ``conv2(act(conv1(x))) + x``.

        Args:
            x: (N, C, H, W), bfloat16, finite; copied if it is not channels-last.
            in_place: the result takes the memory of ``x``, if that is channels-last.

        Returns:
            (N, C, H, W), bfloat16, channels-last.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        n, _, height, width = x.shape
        source = channels_last(x, (n, self._channels, height, width), torch.bfloat16)
        out = source if in_place else torch.empty_like(source)
        split = Split(2 * 9 * self._channels * out.numel())
        # Where one part meets another, a thread may have written what the next has yet to read.
        is_shared = in_place and split.parts > 1
        edges = _rows_next_to_cuts(source, split.parts) if is_shared else None
        library = required(_library())
        floats = Conv3x3.scratch_floats(library, width, self._channels)

        def compute(part: int, parts: int) -> None:
            library.restore_amx_block(
                source.data_ptr(),
                address(edges),
                self._first.weights.data_ptr(),
                address(self._first.bias),
                self._second.weights.data_ptr(),
                address(self._second.bias),
                out.data_ptr(),
                scratch(floats).data_ptr(),
                n,
                height,
                width,
                self._channels,
                self._slope,
                part,
                parts,
            )

        split.run(compute)
        return out


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
    block = library.restore_amx_block
    block.argtypes = [
        *[ctypes.c_void_p] * 8,
        *[ctypes.c_int64] * 4,
        ctypes.c_float,
        *[ctypes.c_int64] * 2,
    ]
    block.restype = None
    library.restore_amx_gradient_scratch.argtypes = [ctypes.c_int64] * 3
    library.restore_amx_gradient_scratch.restype = ctypes.c_int64
    declare_gradient(library.restore_amx_weight_gradient)
    order = library.restore_amx_order
    order.argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 4, ctypes.c_int]
    order.restype = None
    return is_ours and bool(library.restore_amx_supported())


def _rows_next_to_cuts(image: Tensor, parts: int) -> Tensor:
    """Return copies of the rows that the library wants of an image cut into parts, as it says.

    Args:
        image: (N, C, H, W), channels-last.
        parts: how many.

    Returns:
        (parts + 1, 4, W, C).
    """
    rows = image.permute(0, 2, 3, 1).flatten(0, 1)
    cuts = torch.arange(parts + 1) * len(rows) // parts
    nearby = cuts[:, None] + torch.arange(-_REACH, _REACH)
    return rows[nearby.clamp(0, len(rows) - 1)]
