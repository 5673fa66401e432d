"""3×3 convolutions of channels-last bfloat16 images on Intel's AMX, by our own library.

The library (`amx.cpp`) is built on installation where a C++ compiler knows AMX, and used on Linux
where the processor has it, which is from Sapphire Rapids on. Ask `is_available` before anything
else here; where it says no, oneDNN does the same, slower where there are few channels.
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

LIBRARY: Final = Path(__file__).with_name("libamx.so")

_INTERFACE: Final = 1  # of the library, see amx.cpp
_SIDE: Final = 16  # output channels of a tile
_MULTIPLE: Final = 8  # of which there are so many channels
_DEPTH: Final = 32  # numbers that one product sums over


def is_available() -> bool:
    """Whether the library is there, this processor runs it, and RESTORE_KERNELS is not "off"."""
    return not is_switched_off() and _library() is not None


class Conv3x3:
    """A 3×3 convolution with stride 1 and a zero padding of 1, for inference on the CPU.

    Weights and images are rounded to bfloat16, sums are float32. Runs without the interpreter's
    lock, on as many threads as torch may use where it is called; several threads may call one
    object at once.
    """

    @staticmethod
    def takes(conv: nn.Conv2d) -> bool:
        """Whether a convolution can be computed here, by its kind and the shape of its weight.

        Where it can, it was as fast as oneDNN or faster (tests/benchmarks/kernels.py): 1.1 to 1.6
        times with 16 channels, 0.9 to 1.2 with 8 and 24, 1.0 to 1.2 with 40 and more.
        """
        return is_plain(conv) and takes_weight(conv.weight, _MULTIPLE)

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Round and order the weights; later changes to them are not seen.

        Args:
            weight: (out, in, 3, 3), of a convolution that `takes` accepts.
            bias: (out,), or None for zeros.

        Raises:
            ValueError: a weight or bias that cannot be computed with.
        """
        if not takes_weight(weight, _MULTIPLE):
            raise ValueError(
                f"no kernel for a {weight.dtype} weight of shape {tuple(weight.shape)}"
            )
        self._channels = weight.shape[0], weight.shape[1]
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ValueError(f"bias has shape {tuple(bias.shape)} for {weight.shape[0]} channels")
        self._weights = _in_tiles(weight)
        self._bias = None if bias is None else bias.detach().float().contiguous().clone()

    def __call__(
        self,
        x: Tensor,
        slope: float | None = None,
        add: Tensor | None = None,
        *,
        in_place: bool = False,
    ) -> Tensor:
        """Return ``act(conv(x) + bias) + add``, summed in float32 and rounded once.

        Args:
            x: (N, in, H, W), bfloat16, finite; copied if it is not channels-last.
            slope: factor of negative values (0 is ReLU; any value works); None: no activation.
            add: (N, out, H, W), bfloat16, added last; None: nothing.
            in_place: the result takes the memory of ``add``, if that is channels-last.

        Returns:
            (N, out, H, W), bfloat16, channels-last.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        return _convolve(
            x, self._weights, self._channels, self._bias, slope=slope, add=add, in_place=in_place
        )


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
        self._weights = [_in_tiles(conv.weight) for conv in (conv1, conv2)]
        self._biases = [
            None if conv.bias is None else conv.bias.detach().float().contiguous().clone()
            for conv in (conv1, conv2)
        ]
        self._channels = conv1.in_channels
        self._slope = slope

    def __call__(self, x: Tensor, *, in_place: bool = False) -> Tensor:
        """Return ``conv2(act(conv1(x))) + x``.

        Args:
            x: (N, C, H, W), bfloat16, finite; copied if it is not channels-last.
            in_place: the result takes the memory of ``x``, if that is channels-last and there is
                one thread.

        Returns:
            (N, C, H, W), bfloat16, channels-last.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        n, _, height, width = x.shape
        source = channels_last(x, (n, self._channels, height, width), torch.bfloat16)
        is_alone = torch.get_num_threads() == 1  # others would read rows that are written already
        out = source if in_place and is_alone else torch.empty_like(source)
        library = _the_library()
        halves = library.restore_amx_scratch(width, self._channels)

        def compute(part: int, parts: int) -> None:
            library.restore_amx_block(
                source.data_ptr(),
                self._weights[0].data_ptr(),
                _address(self._biases[0]),
                self._weights[1].data_ptr(),
                _address(self._biases[1]),
                out.data_ptr(),
                scratch(-(-halves // 2)).data_ptr(),
                n,
                height,
                width,
                self._channels,
                self._slope,
                part,
                parts,
            )

        in_parts(compute, work=2 * 9 * self._channels * out.numel())
        return out


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    slope: float | None = None,
    add: Tensor | None = None,
) -> Tensor:
    """Return what :class:`Conv3x3` would, for weights that are used once.

    Args:
        x: (N, in, H, W), bfloat16, finite; copied if it is not channels-last.
        weight: (out, in, 3, 3), float32, of a convolution that `Conv3x3.takes` accepts.
        bias: (out,), float32, or None for zeros.
        slope: factor of negative values; None: no activation.
        add: (N, out, H, W), bfloat16, added last; None: nothing.

    Returns:
        (N, out, H, W), bfloat16, channels-last.

    Raises:
        ValueError: a shape, type or device that does not fit.
        RuntimeError: the kernels are not available.
    """
    channels = weight.shape[0], weight.shape[1]
    return _convolve(x, _in_tiles(weight), channels, bias, slope=slope, add=add)


def input_gradient(
    gradient: Tensor,
    weight: Tensor,
    gate: Tensor | None = None,
    add: Tensor | None = None,
    slope: float = 0.0,
) -> Tensor:
    """Return the gradient with respect to a convolution's input: (N, in, H, W), channels-last.

    Args:
        gradient: with respect to its output, (N, out, H, W), bfloat16.
        weight: its weight, (out, in, 3, 3), float32.
        gate: (N, in, H, W), bfloat16: the input if it is what a ReLU returned, to pass that too.
        add: as ``gate``, another path's gradient, added last.
        slope: factor where the gate is not positive, for a leaky ReLU.

    Raises:
        ValueError, RuntimeError: as `convolve`.
    """
    tiles = _in_tiles(weight.flip(2, 3).transpose(0, 1))
    channels = weight.shape[1], weight.shape[0]
    of_gate = None if gate is None else slope
    return _convolve(gradient, tiles, channels, None, slope=of_gate, gate=gate, add=add)


def weight_gradient(x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to a convolution's weight and bias, found by oneDNN.

    Args:
        x: the input, (N, in, H, W), bfloat16.
        gradient: with respect to the output, (N, out, H, W), the same.

    Returns:
        (out, in, 3, 3) and (out,), float32.
    """
    channels_out = gradient.shape[1]
    unused = x.new_empty(channels_out, x.shape[1], 3, 3)
    _, of_weight, of_bias = torch.ops.aten.convolution_backward(
        gradient, x, unused, [channels_out], [1, 1], [1, 1], [1, 1], False, [0, 0], 1,
        [False, True, True],
    )  # fmt: skip
    return of_weight.float(), of_bias.float()


def _convolve(
    x: Tensor,
    weights: Tensor,
    channels: tuple[int, int],
    bias: Tensor | None,
    *,
    slope: float | None = None,
    gate: Tensor | None = None,
    add: Tensor | None = None,
    in_place: bool = False,
) -> Tensor:
    """Return ``act(conv(x) + bias) + add`` for a weight that is :func:`_in_tiles`.

    The slope is for negative values, or with a gate for those where it is not positive.
    Channels are those out and in.
    """
    channels_out, channels_in = channels
    n, _, height, width = x.shape
    shape = (n, channels_out, height, width)
    source = channels_last(x, (n, channels_in, height, width), torch.bfloat16)
    gates = None if gate is None else channels_last(gate, shape, torch.bfloat16)
    addend = None if add is None else channels_last(add, shape, torch.bfloat16)
    out = result_like(shape, torch.bfloat16, addend, in_place=in_place)
    library = _the_library()
    halves = library.restore_amx_scratch(width, channels_in)

    def compute(part: int, parts: int) -> None:
        library.restore_amx_conv3x3(
            source.data_ptr(),
            weights.data_ptr(),
            _address(bias),
            _address(gates),
            _address(addend),
            out.data_ptr(),
            scratch(-(-halves // 2)).data_ptr(),
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


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _the_library() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise RuntimeError("the compiled kernels are not available")
    return library


@functools.cache
def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_amx_interface() == _INTERFACE
    library.restore_amx_scratch.argtypes = [ctypes.c_int64] * 2
    library.restore_amx_scratch.restype = ctypes.c_int64
    conv3x3 = library.restore_amx_conv3x3
    conv3x3.argtypes = [
        *[ctypes.c_void_p] * 7,
        *[ctypes.c_int64] * 5,
        ctypes.c_int,
        ctypes.c_float,
        *[ctypes.c_int64] * 2,
    ]
    conv3x3.restype = None
    block = library.restore_amx_block
    block.argtypes = [
        *[ctypes.c_void_p] * 7,
        *[ctypes.c_int64] * 4,
        ctypes.c_float,
        *[ctypes.c_int64] * 2,
    ]
    block.restype = None
    return is_ours and bool(library.restore_amx_supported())


def _in_tiles(weight: Tensor) -> Tensor:
    """Return (panels, 3, products, 16, 16, 2): (out, in, 3, 3) as the library reads it.

    The numbers of a row of taps, pixel by pixel, in pairs that a product takes at once.
    """
    channels_out, channels_in = weight.shape[:2]
    rows = weight.detach().permute(0, 2, 3, 1).reshape(channels_out, 3, 3 * channels_in)
    rows = nn.functional.pad(rows, (0, -3 * channels_in % _DEPTH, 0, 0, 0, -channels_out % _SIDE))
    tiles = rows.reshape(-1, _SIDE, 3, rows.shape[2] // _DEPTH, _DEPTH // 2, 2)
    return tiles.permute(0, 2, 3, 4, 1, 5).to(torch.bfloat16).contiguous()
