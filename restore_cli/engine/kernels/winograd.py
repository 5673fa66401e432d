"""3×3 convolutions of channels-last images on the CPU, by our own library, and their gradients.

The library (`winograd.cpp`) is built on installation where a C++ compiler is found, and used where
the processor has AVX2 and FMA. Ask `is_available` before anything else here; where it says no,
`torch.nn.functional.conv2d` does the same, slower.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from restore_cli.engine.kernels.conv3x3 import CompiledConv3x3, declare, declare_gradient
from restore_cli.engine.kernels.library import is_switched_off, load_library, required

LIBRARY: Final = Path(__file__).with_name("libwinograd.so")

_INTERFACE: Final = 5  # of the library, see winograd.cpp
_PANEL: Final = 16  # output channels the library works on at a time
_ROWS: Final = 4  # input channels of one outer product

# Weights at the points 0, 1, -1, 2, -2 and infinity of F(4, 3); the other two matrices are in
# winograd.cpp (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015).
_POINTS: Final = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)

_FROM_WEIGHT: Final = torch.kron(torch.tensor(_POINTS), torch.tensor(_POINTS))  # (36, 9)


def is_available() -> bool:
    """Whether the library is there, this processor runs it, and RESTORE_KERNELS is not "off"."""
    return not is_switched_off() and _library() is not None


class Conv3x3(CompiledConv3x3):
    """Faster than oneDNN's direct sum wherever it can be used (tests/benchmarks/kernels.py).

    1.2 times with 8 channels, 2 with 16, 3 with 64 and more. With random weights it agrees with
    float64 to 121 dB (512 channels) to 134 dB (16), by PSNR against the largest value; the direct
    sum in float32 does to 134 or more.
    """

    dtype = torch.float32

    @staticmethod
    def library() -> ctypes.CDLL | None:
        return _library()

    @staticmethod
    def function(library: ctypes.CDLL) -> Any:  # noqa: ANN401 - ctypes' own
        return library.restore_winograd_conv3x3

    @staticmethod
    def scratch_floats(library: ctypes.CDLL, width: int, channels_in: int) -> int:
        del width  # tiles are of one size
        return int(library.restore_winograd_scratch(channels_in))

    @staticmethod
    def ordered(weight: Tensor, *, backwards: bool = False) -> Tensor:
        return _at_points(weight.flip(2, 3).transpose(0, 1) if backwards else weight)


convolve, input_gradient = Conv3x3.convolve, Conv3x3.input_gradient


def weight_gradient(x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to a convolution's weight and bias.

    Args:
        x: the input, (N, in, H, W), float32; copied if it is not channels-last.
        gradient: with respect to the output, (N, out, H, W), the same.

    Returns:
        (out, in, 3, 3) and (out,).

    Raises:
        ValueError: a shape, type or device that does not fit.
        RuntimeError: the kernels are not available.
    """
    channels_in, channels_out = x.shape[1], gradient.shape[1]
    library = required(_library())
    function = library.restore_winograd_weight_gradient
    floats = library.restore_winograd_gradient_scratch(channels_in, channels_out)
    rows, panels = channels_in // _ROWS, -(-channels_out // _PANEL)
    shape = 36, rows, panels, _ROWS, _PANEL
    at_points, of_bias = Conv3x3.weight_sums(function, x, gradient, shape, floats)
    taps = (_FROM_WEIGHT.T @ at_points.reshape(36, -1)).reshape(3, 3, rows, panels, _ROWS, _PANEL)
    of_weight = taps.permute(3, 5, 2, 4, 0, 1).reshape(panels * _PANEL, channels_in, 3, 3)
    return of_weight[:channels_out], of_bias


@functools.cache
def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_kernels_interface() == _INTERFACE
    library.restore_winograd_scratch.argtypes = [ctypes.c_int64]
    library.restore_winograd_scratch.restype = ctypes.c_int64
    library.restore_winograd_gradient_scratch.argtypes = [ctypes.c_int64] * 2
    library.restore_winograd_gradient_scratch.restype = ctypes.c_int64
    declare(library.restore_winograd_conv3x3)
    declare_gradient(library.restore_winograd_weight_gradient)
    return is_ours and bool(library.restore_kernels_supported())


def _at_points(weight: Tensor) -> Tensor:
    """Return (panels, 36, in, 16): (out, in, 3, 3) at the 36 points, filled up with zeros."""
    channels_out, channels_in = weight.shape[:2]
    panels = -(-channels_out // _PANEL)
    filled = weight.detach()
    if channels_out % _PANEL:
        filled = torch.nn.functional.pad(filled, (0, 0) * 3 + (0, -channels_out % _PANEL))
    taps = filled.reshape(panels, _PANEL, channels_in, 9).permute(0, 3, 2, 1)
    points = _FROM_WEIGHT @ taps.reshape(panels, 9, channels_in * _PANEL)
    return points.reshape(panels, 36, channels_in, _PANEL)
