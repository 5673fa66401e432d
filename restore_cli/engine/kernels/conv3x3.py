"""What 3×3 convolutions of channels-last images by compiled libraries have in common."""

from __future__ import annotations

import ctypes
import functools
from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from restore_cli.engine.kernels.library import CompiledKernel, required, scratch
from restore_cli.engine.kernels.threads import Split

_MULTIPLE = 8  # of which there are so many channels
_MOST_CHANNELS = 512  # more were not measured


class CompiledConv3x3(CompiledKernel):
    """A 3×3 convolution with stride 1 and a zero padding of 1, for inference on the CPU.

    Runs without the interpreter's lock, on as many threads as torch may use where it is called;
    several threads may call one object at once.
    """

    dtype: ClassVar[torch.dtype]  # of images; weights and biases are float32

    @classmethod
    @abstractmethod
    def ordered(cls, weight: Tensor, *, backwards: bool = False) -> Tensor:
        """Return a weight (out, in, 3, 3) as the library reads it.

        Args:
            weight: float32, on the CPU.
            backwards: for the convolution, (in, out, 3, 3), that gives the gradient of the input.
        """

    @classmethod
    def takes(cls, conv: nn.Conv2d) -> bool:
        """Whether a convolution can be computed here, by its kind and the shape of its weight."""
        return _is_plain(conv) and _takes_weight(conv.weight)

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Order the weights; later changes to them are not seen.

        Args:
            weight: (out, in, 3, 3), of a convolution that `takes` accepts.
            bias: (out,), or None for zeros.

        Raises:
            ValueError: a weight or bias that cannot be computed with.
        """
        if not _takes_weight(weight):
            raise ValueError(
                f"no kernel for a {weight.dtype} weight of shape {tuple(weight.shape)}"
            )
        self._channels = weight.shape[0], weight.shape[1]
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ValueError(f"bias has shape {tuple(bias.shape)} for {weight.shape[0]} channels")
        self.weights = self.ordered(weight)
        self.bias = kept_bias(bias)

    def __call__(
        self,
        x: Tensor,
        slope: float | None = None,
        add: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Return ``act(conv(x) + bias) + add``, summed in float32.

        Args:
            x: (N, in, H, W), of the type of images, finite; copied if it is not channels-last.
            slope: factor of negative values (0 is ReLU; any value works); None: no activation.
            add: (N, out, H, W), likewise, added last; None: nothing.
            out: (N, out, H, W), likewise, whose memory the result takes, if that is channels-last;
                may be ``add``.

        Returns:
            (N, out, H, W), likewise, channels-last.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        return self._convolve(
            x, self.weights, self._channels, self.bias, slope=slope, add=add, out=out
        )

    @classmethod
    def convolve(
        cls,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        slope: float | None = None,
        add: Tensor | None = None,
    ) -> Tensor:
        """Return what an object would when it is called, for weights that are used once.

        Args:
            x: (N, in, H, W), of the type of images, finite; copied if it is not channels-last.
            weight: (out, in, 3, 3), float32, of a convolution that `takes` accepts.
            bias: (out,), float32, or None for zeros.
            slope: factor of negative values; None: no activation.
            add: (N, out, H, W), as ``x``, added last; None: nothing.

        Returns:
            (N, out, H, W), likewise, channels-last.

        Raises:
            ValueError: a shape, type or device that does not fit.
            RuntimeError: the kernels are not available.
        """
        channels = weight.shape[0], weight.shape[1]
        return cls._convolve(x, cls.ordered(weight), channels, bias, slope=slope, add=add)

    @classmethod
    def input_gradient(
        cls,
        gradient: Tensor,
        weight: Tensor,
        gate: Tensor | None = None,
        add: Tensor | None = None,
        slope: float = 0.0,
    ) -> Tensor:
        """Return the gradient with respect to a convolution's input: (N, in, H, W), channels-last.

        Args:
            gradient: with respect to its output, (N, out, H, W), of the type of images.
            weight: its weight, (out, in, 3, 3), float32.
            gate: (N, in, H, W), as the gradient: the input if it is what a ReLU returned, to pass
                that too.
            add: as ``gate``, another path's gradient, added last.
            slope: factor where the gate is not positive, for a leaky ReLU.

        Raises:
            ValueError, RuntimeError: as `convolve`.
        """
        weights = cls.ordered(weight, backwards=True)
        channels = weight.shape[1], weight.shape[0]
        of_gate = None if gate is None else slope
        return cls._convolve(gradient, weights, channels, None, slope=of_gate, gate=gate, add=add)

    @classmethod
    def weight_sums(
        cls,
        function: Any,  # noqa: ANN401 - ctypes' own
        x: Tensor,
        gradient: Tensor,
        shape: tuple[int, ...],
        floats: int,
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients with respect to weight and bias, as a library sums them.

        Args:
            function: the library's, see :func:`declare_gradient`.
            x: the input, (N, in, H, W), of the type of images; copied if it is not channels-last.
            gradient: with respect to the output, (N, out, H, W), likewise.
            shape: of the library's sums.
            floats: how much scratch memory a call needs.

        Returns:
            the sums for the weight and (out,), float32.

        Raises:
            ValueError: a shape, type or device that does not fit.
        """
        n, channels_in, height, width = x.shape
        channels_out = gradient.shape[1]
        source = channels_last(x, (n, channels_in, height, width), cls.dtype)
        back = channels_last(gradient, (n, channels_out, height, width), cls.dtype)
        sums: dict[int, tuple[Tensor, Tensor]] = {}

        def compute(part: int, parts: int) -> None:
            of_weight, of_bias = sums[part] = torch.zeros(shape), torch.zeros(channels_out)
            function(
                source.data_ptr(),
                back.data_ptr(),
                of_weight.data_ptr(),
                of_bias.data_ptr(),
                scratch(floats).data_ptr(),
                n,
                height,
                width,
                channels_in,
                channels_out,
                part,
                parts,
            )

        # Few parts, for each needs sums of its own; added in order, so that runs can be repeated.
        Split(9 * channels_in * back.numel(), parts_per_thread=1).run(compute)
        of_weights, of_biases = zip(*(sums[part] for part in sorted(sums)), strict=True)
        return functools.reduce(torch.add, of_weights), functools.reduce(torch.add, of_biases)

    @classmethod
    def _convolve(
        cls,
        x: Tensor,
        weights: Tensor,
        channels: tuple[int, int],
        bias: Tensor | None,
        *,
        slope: float | None = None,
        gate: Tensor | None = None,
        add: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Return ``act(conv(x) + bias) + add`` for a weight that is ordered.

        The slope is for negative values, or with a gate for those where it is not positive.
        Channels are those out and in.
        """
        channels_out, channels_in = channels
        n, _, height, width = x.shape
        shape = (n, channels_out, height, width)
        source = channels_last(x, (n, channels_in, height, width), cls.dtype)
        gates = None if gate is None else channels_last(gate, shape, cls.dtype)
        addend = None if add is None else channels_last(add, shape, cls.dtype)
        if out is None:
            result = torch.empty(shape, dtype=cls.dtype, memory_format=torch.channels_last)
        else:
            result = channels_last(out, shape, cls.dtype)
        library = required(cls.library())
        function, floats = cls.function(library), cls.scratch_floats(library, width, channels_in)

        def compute(part: int, parts: int) -> None:
            function(
                source.data_ptr(),
                weights.data_ptr(),
                address(bias),
                address(gates),
                address(addend),
                result.data_ptr(),
                scratch(floats).data_ptr(),
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

        Split(9 * channels_in * result.numel()).run(compute)
        return result


def declare(function: Any) -> None:  # noqa: ANN401 - ctypes' own
    """Give a library's convolution its type, which is that of all of them."""
    function.argtypes = [
        *[ctypes.c_void_p] * 7,  # x, weights, bias, gate, add, out, scratch memory
        *[ctypes.c_int64] * 5,  # count, height, width, channels in and out
        ctypes.c_int,  # whether there is a slope
        ctypes.c_float,
        *[ctypes.c_int64] * 2,  # part, of how many
    ]
    function.restype = None


def declare_gradient(function: Any) -> None:  # noqa: ANN401 - ctypes' own
    """Give a library's gradient of weights its type, which is that of all of them."""
    function.argtypes = [
        *[ctypes.c_void_p] * 5,  # x, gradient, sums for weight and bias, scratch memory
        *[ctypes.c_int64] * 5,  # count, height, width, channels in and out
        *[ctypes.c_int64] * 2,  # part, of how many
    ]
    function.restype = None


def channels_last(image: Tensor, shape: tuple[int, int, int, int], dtype: torch.dtype) -> Tensor:
    """Return an image channels-last, which it is copied for if need be.

    Raises:
        ValueError: it has another shape or type, or is not on the CPU.
    """
    if tuple(image.shape) != shape or image.dtype != dtype or image.device.type != "cpu":
        wanted, got = (str(kind).removeprefix("torch.") for kind in (dtype, image.dtype))
        raise ValueError(
            f"expected {shape}, {wanted}, on the CPU; "
            f"got {tuple(image.shape)}, {got}, on {image.device.type}"
        )
    return image.contiguous(memory_format=torch.channels_last)


def kept_bias(bias: Tensor | None) -> Tensor | None:
    """Return a copy of a bias, (out,), as libraries read it: float32, later changes not seen."""
    return None if bias is None else bias.detach().float().contiguous().clone()


def address(tensor: Tensor | None) -> int | None:
    """Return where a tensor lies; None for none."""
    return None if tensor is None else tensor.data_ptr()


def _is_plain(conv: nn.Conv2d) -> bool:
    """Whether it has stride 1, a zero padding of 1, no dilation and no groups."""
    geometry = (conv.stride, conv.padding, conv.dilation) == ((1, 1), (1, 1), (1, 1))
    return geometry and conv.groups == 1 and conv.padding_mode == "zeros"


def _takes_weight(weight: Tensor) -> bool:
    """Whether a weight is float32, 3×3, on the CPU, with multiples of 8 channels."""
    return (
        weight.ndim == 4
        and tuple(weight.shape[2:]) == (3, 3)
        and weight.dtype == torch.float32
        and weight.device.type == "cpu"
        and all(0 < c <= _MOST_CHANNELS and c % _MULTIPLE == 0 for c in weight.shape[:2])
    )
