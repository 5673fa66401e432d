"""3×3 convolutions of channels-last images on the CPU by Winograd's algorithm, and their gradients.

Our own library (`winograd*.cpp`) is built on installation where a C++ compiler is found, once for
processors with AVX2 and FMA and once for those that have AVX-512 with instructions for bfloat16,
which is twice as wide. Ask `is_available` before anything else here; where it says no,
`torch.nn.functional.conv2d` does the same, slower. `winograd_bf16` has images of bfloat16.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from restore_cli.engine.kernels.conv3x3 import CompiledConv3x3, declare, declare_gradient
from restore_cli.engine.kernels.library import is_switched_off, load_library, required

LIBRARY: Final = Path(__file__).with_name("libwinograd.so")
WIDE_LIBRARY: Final = Path(__file__).with_name("libwinograd_wide.so")

_INTERFACE: Final = 6  # of the libraries, see winograd.cpp

# Weights at the points 0, 1, -1, 2, -2 and infinity of F(4, 3); the other two matrices are in
# winograd_tiles.h and winograd.cpp (Lavin and Gray, "Fast Algorithms for Convolutional Neural
# Networks", 2015).
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
    """Whether a library is there, this processor runs it, and RESTORE_KERNELS is not "off"."""
    return not is_switched_off() and Conv3x3.library() is not None


class WinogradConv3x3(CompiledConv3x3):
    """What convolutions have in common whose images are of float32 or of bfloat16."""

    _suffix: ClassVar[str]  # of the library's functions for this type of images

    @classmethod
    def function(cls, library: ctypes.CDLL) -> Any:  # noqa: ANN401 - ctypes' own
        return getattr(library, f"restore_winograd_conv3x3{cls._suffix}")

    @classmethod
    def scratch_floats(cls, library: ctypes.CDLL, width: int, channels_in: int) -> int:
        del width  # tiles are of one size
        return int(library.restore_winograd_scratch(channels_in))

    @classmethod
    def ordered(cls, weight: Tensor, *, backwards: bool = False) -> Tensor:
        panel = required(cls.library()).restore_winograd_panel()
        return _at_points(weight.flip(2, 3).transpose(0, 1) if backwards else weight, panel)

    @classmethod
    def weight_gradient(cls, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients with respect to a convolution's weight and bias.

        Args:
            x: the input, (N, in, H, W), of the type of images; copied if it is not channels-last.
            gradient: with respect to the output, (N, out, H, W), the same.

        Returns:
            (out, in, 3, 3) and (out,), float32, summed as such.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        channels_in, channels_out = x.shape[1], gradient.shape[1]
        library = required(cls.library())
        function = getattr(library, f"restore_winograd_weight_gradient{cls._suffix}")
        floats = library.restore_winograd_gradient_scratch(channels_in, channels_out)
        panel, rows = library.restore_winograd_panel(), library.restore_winograd_rows()
        panels, groups = -(-channels_out // panel), channels_in // rows
        shape = 36, groups, panels, rows, panel
        at_points, of_bias = cls.weight_sums(function, x, gradient, shape, floats)
        taps = _product(_FROM_WEIGHT.T, at_points.reshape(36, -1)).reshape(3, 3, *shape[1:])
        of_weight = taps.permute(3, 5, 2, 4, 0, 1).reshape(panels * panel, channels_in, 3, 3)
        return of_weight[:channels_out], of_bias


class Conv3x3(WinogradConv3x3):
    """Faster than oneDNN's direct sum wherever it can be used (tests/benchmarks/kernels.py).

    1.2 times with 8 channels, 2 with 16, 3 with 64 and more. With random weights it agrees with
    float64 to 121 dB (512 channels) to 134 dB (16), by PSNR against the largest value; the direct
    sum in float32 does to 134 or more.
    """

    dtype = torch.float32
    _suffix = ""

    @staticmethod
    def library() -> ctypes.CDLL | None:
        return wide_library() or narrow_library()


convolve, input_gradient = Conv3x3.convolve, Conv3x3.input_gradient
weight_gradient = Conv3x3.weight_gradient


def wide_library() -> ctypes.CDLL | None:
    """Return the library for AVX-512, or None where there is none to run."""
    return load_library(WIDE_LIBRARY, _declare_wide)


def narrow_library() -> ctypes.CDLL | None:
    """Return the library for AVX2, likewise."""
    return load_library(LIBRARY, _declare)


def _declare_wide(library: ctypes.CDLL) -> bool:
    declare(library.restore_winograd_conv3x3_bf16)
    declare_gradient(library.restore_winograd_weight_gradient_bf16)
    return _declare(library)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_kernels_interface() == _INTERFACE
    library.restore_winograd_scratch.argtypes = [ctypes.c_int64]
    library.restore_winograd_scratch.restype = ctypes.c_int64
    library.restore_winograd_gradient_scratch.argtypes = [ctypes.c_int64] * 2
    library.restore_winograd_gradient_scratch.restype = ctypes.c_int64
    declare(library.restore_winograd_conv3x3)
    declare_gradient(library.restore_winograd_weight_gradient)
    return is_ours and bool(library.restore_kernels_supported())


def _at_points(weight: Tensor, panel: int) -> Tensor:
    """Return (panels, 36, in, panel): (out, in, 3, 3) at the 36 points, filled up with zeros."""
    channels_out, channels_in = weight.shape[:2]
    panels = -(-channels_out // panel)
    filled = weight.detach()
    if channels_out % panel:
        filled = torch.nn.functional.pad(filled, (0, 0) * 3 + (0, -channels_out % panel))
    taps = filled.reshape(panels, panel, channels_in, 9).permute(0, 3, 2, 1)
    points = _product(_FROM_WEIGHT, taps.reshape(panels, 9, channels_in * panel))
    return points.reshape(panels, 36, channels_in, panel)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b in float32, where autocast would round it, too."""
    with torch.autocast("cpu", enabled=False):
        return a.float() @ b.float()
