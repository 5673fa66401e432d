"""3×3 convolutions of channels-last images on the CPU, by our own library, and their gradients.

The library (`winograd.cpp`) is built on installation where a C++ compiler is found, and used where
the processor has AVX2 and FMA. Ask `is_available` before anything else here; where it says no,
`torch.nn.functional.conv2d` does the same, slower.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from restore_cli.engine.kernels.library import (
    channels_last,
    is_plain,
    is_switched_off,
    load_library,
    result_like,
    scratch,
    takes_weight,
)
from restore_cli.engine.kernels.threads import in_parts

LIBRARY: Final = Path(__file__).with_name("libwinograd.so")

_INTERFACE: Final = 5  # of the library, see winograd.cpp
_PANEL: Final = 16  # output channels the library works on at a time
_ROWS: Final = 4  # input channels of one outer product
_VECTOR: Final = 8  # channels it loads at a time

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


class Conv3x3:
    """A 3×3 convolution with stride 1 and a zero padding of 1, for inference on the CPU.

    Runs without the interpreter's lock, on as many threads as torch may use where it is called;
    several threads may call one object at once. With random weights it agrees with float64 to
    121 dB (512 channels) to 134 dB (16), by PSNR against the largest value; the direct sum in
    float32 does to 134 or more.
    """

    @staticmethod
    def takes(conv: nn.Conv2d) -> bool:
        """Whether a convolution can be computed here, by its kind and the shape of its weight.

        Where it can, it was faster than oneDNN's direct sum at all sizes measured
        (tests/benchmarks/kernels.py): 1.2 times with 8 channels, 2 with 16, 3 with 64 and more.
        """
        return is_plain(conv) and takes_weight(conv.weight, _VECTOR)

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Transform the weights; later changes to them are not seen.

        Args:
            weight: (out, in, 3, 3), of a convolution that `takes` accepts.
            bias: (out,), or None for zeros.

        Raises:
            ValueError: a weight or bias that cannot be computed with.
        """
        if not takes_weight(weight, _VECTOR):
            raise ValueError(
                f"no kernel for a {weight.dtype} weight of shape {tuple(weight.shape)}"
            )
        self.channels_out, self.channels_in = weight.shape[:2]
        if bias is not None and bias.shape != (self.channels_out,):
            raise ValueError(f"bias has shape {tuple(bias.shape)} for {self.channels_out} channels")
        self._weights = _at_points(weight.detach())
        self._bias = None if bias is None else bias.detach().float().contiguous().clone()

    def __call__(
        self,
        x: Tensor,
        slope: float | None = None,
        add: Tensor | None = None,
        *,
        in_place: bool = False,
    ) -> Tensor:
        """Return ``act(conv(x) + bias) + add``.

        Args:
            x: (N, in, H, W), float32; copied if it is not channels-last.
            slope: factor of negative values (0 is ReLU; any value works); None: no activation.
            add: (N, out, H, W), float32, added last; None: nothing.
            in_place: the result takes the memory of ``add``, if that is channels-last.

        Returns:
            (N, out, H, W), channels-last.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        return _convolve(
            x, self._weights, self.channels_out, self._bias, slope=slope, add=add, in_place=in_place
        )


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    slope: float | None = None,
    add: Tensor | None = None,
) -> Tensor:
    """Return what :class:`Conv3x3` would, for weights that are used once.

    Args:
        x: (N, in, H, W), float32; copied if it is not channels-last.
        weight: (out, in, 3, 3), of a convolution that `Conv3x3.takes` accepts.
        bias: (out,), or None for zeros.
        slope: factor of negative values; None: no activation.
        add: (N, out, H, W), float32, added last; None: nothing.

    Returns:
        (N, out, H, W), channels-last.

    Raises:
        ValueError: a shape, type or device that does not fit.
        RuntimeError: the kernels are not available.
    """
    return _convolve(x, _at_points(weight), weight.shape[0], bias, slope=slope, add=add)


def input_gradient(
    gradient: Tensor,
    weight: Tensor,
    gate: Tensor | None = None,
    add: Tensor | None = None,
    slope: float = 0.0,
) -> Tensor:
    """Return the gradient with respect to a convolution's input: (N, in, H, W), channels-last.

    Args:
        gradient: with respect to its output, (N, out, H, W), float32.
        weight: its weight, (out, in, 3, 3).
        gate: (N, in, H, W), float32: the input if it is what a ReLU returned, to pass that too.
        add: as ``gate``, another path's gradient, added last.
        slope: factor where the gate is not positive, for a leaky ReLU.

    Raises:
        ValueError, RuntimeError: as `convolve`.
    """
    points = _at_points(weight.flip(2, 3).transpose(0, 1))
    of_gate = None if gate is None else slope
    return _convolve(gradient, points, weight.shape[1], None, slope=of_gate, gate=gate, add=add)


def weight_gradient(x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to a convolution's weight and bias.

    Args:
        x: the input, (N, in, H, W), float32; copied if it is not channels-last.
        gradient: with respect to the output, (N, out, H, W), the same.

    Returns:
        (out, in, 3, 3) and (out,).

    Raises:
        ValueError, RuntimeError: as `convolve`.
    """
    n, channels_in, height, width = x.shape
    channels_out = gradient.shape[1]
    source = channels_last(x, (n, channels_in, height, width), torch.float32)
    back = channels_last(gradient, (n, channels_out, height, width), torch.float32)
    library = _the_library()
    rows, panels = channels_in // _ROWS, -(-channels_out // _PANEL)
    sums: dict[int, tuple[Tensor, Tensor]] = {}

    def compute(part: int, parts: int) -> None:
        mine = torch.zeros(36, rows, panels, _ROWS, _PANEL), torch.zeros(channels_out)
        sums[part] = mine
        floats = library.restore_winograd_gradient_scratch(channels_in, channels_out)
        library.restore_winograd_weight_gradient(
            source.data_ptr(),
            back.data_ptr(),
            mine[0].data_ptr(),
            mine[1].data_ptr(),
            scratch(floats).data_ptr(),
            n,
            height,
            width,
            channels_in,
            channels_out,
            part,
            parts,
        )

    # Few parts, for each needs its own sums; added in their order, so that runs can be repeated.
    in_parts(compute, work=9 * channels_in * back.numel(), parts_per_thread=1)
    at_points, of_bias = (
        functools.reduce(torch.add, of_parts)
        for of_parts in zip(*(sums[part] for part in sorted(sums)), strict=True)
    )
    taps = (_FROM_WEIGHT.T @ at_points.reshape(36, -1)).reshape(3, 3, rows, panels, _ROWS, _PANEL)
    of_weight = taps.permute(3, 5, 2, 4, 0, 1).reshape(panels * _PANEL, channels_in, 3, 3)
    return of_weight[:channels_out], of_bias


def _convolve(
    x: Tensor,
    points: Tensor,
    channels_out: int,
    bias: Tensor | None,
    *,
    slope: float | None = None,
    gate: Tensor | None = None,
    add: Tensor | None = None,
    in_place: bool = False,
) -> Tensor:
    """Return ``act(conv(x) + bias) + add`` for a weight that is :func:`_at_points`.

    The slope is for negative values, or with a gate for those where it is not positive.
    """
    channels_in = points.shape[2]
    n, _, height, width = x.shape
    shape = (n, channels_out, height, width)
    source = channels_last(x, (n, channels_in, height, width), torch.float32)
    gates = None if gate is None else channels_last(gate, shape, torch.float32)
    addend = None if add is None else channels_last(add, shape, torch.float32)
    out = result_like(shape, torch.float32, addend, in_place=in_place)
    library = _the_library()

    def compute(part: int, parts: int) -> None:
        library.restore_winograd_conv3x3(
            source.data_ptr(),
            points.data_ptr(),
            None if bias is None else bias.data_ptr(),
            None if gates is None else gates.data_ptr(),
            None if addend is None else addend.data_ptr(),
            out.data_ptr(),
            scratch(library.restore_winograd_scratch(channels_in)).data_ptr(),
            n,
            height,
            width,
            channels_in,
            channels_out,
            slope is not None,
            slope or 0.0,
            part,
            parts,
        )

    in_parts(compute, work=9 * channels_in * out.numel())
    return out


def _the_library() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise RuntimeError("the compiled kernels are not available")
    return library


@functools.cache
def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_kernels_interface() == _INTERFACE
    library.restore_winograd_scratch.argtypes = [ctypes.c_int64]
    library.restore_winograd_scratch.restype = ctypes.c_int64
    library.restore_winograd_gradient_scratch.argtypes = [ctypes.c_int64] * 2
    library.restore_winograd_gradient_scratch.restype = ctypes.c_int64
    conv3x3 = library.restore_winograd_conv3x3
    conv3x3.argtypes = [
        *[ctypes.c_void_p] * 7,
        *[ctypes.c_int64] * 5,
        ctypes.c_int,
        ctypes.c_float,
        *[ctypes.c_int64] * 2,
    ]
    conv3x3.restype = None
    gradient = library.restore_winograd_weight_gradient
    gradient.argtypes = [*[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 7]
    gradient.restype = None
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
