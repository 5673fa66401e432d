"""Residual blocks of channels-last bfloat16 images by compiled libraries, in one pass."""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from typing import Any, Final

import torch
from torch import Tensor, nn

from restore_cli.engine.kernels.conv3x3 import address, channels_last, kept_bias
from restore_cli.engine.kernels.library import CompiledKernel, required, scratch
from restore_cli.engine.kernels.threads import Split

_REACH: Final = 2  # rows that a residual block sees on either side


class CompiledBlock(CompiledKernel):
    """Two 3×3 convolutions with an activation between them, plus their input.

    What is between them is rounded as a result is, and never written to memory. Runs without the
    interpreter's lock, on as many threads as torch may use where it is called.
    """

    @classmethod
    @abstractmethod
    def ordered(cls, weight: Tensor) -> Tensor:
        """Return a weight (C, C, 3, 3), float32, as the library reads it."""

    @classmethod
    @abstractmethod
    def takes_each(cls, conv: nn.Conv2d) -> bool:
        """Whether a convolution is of a kind and size that is computed here."""

    @classmethod
    def takes(cls, conv1: nn.Conv2d, conv2: nn.Conv2d) -> bool:
        """Whether a block of these can be computed here: all of as many channels."""
        shapes = {conv1.weight.shape, conv2.weight.shape, conv1.weight.transpose(0, 1).shape}
        return len(shapes) == 1 and cls.takes_each(conv1) and cls.takes_each(conv2)

    def __init__(self, conv1: nn.Conv2d, slope: float, conv2: nn.Conv2d) -> None:
        """Round and order the weights; later changes to them are not seen.

        Args:
            conv1: the first one; `takes` accepts it together with the second.
            slope: factor of negative values between them; 0 is ReLU.
            conv2: the second one.

        Raises:
            ValueError: convolutions that cannot be computed with.
        """
        convs = conv1, conv2
        if not self.takes(*convs):
            shapes = " and ".join(str(tuple(conv.weight.shape)) for conv in convs)
            raise ValueError(f"no kernel for a block with weights of shape {shapes}")
        self._weights = [self.ordered(conv.weight) for conv in convs]
        self._biases = [kept_bias(conv.bias) for conv in convs]
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
        library = required(self.library())
        function = self.function(library)
        floats = self.scratch_floats(library, width, self._channels)

        def compute(part: int, parts: int) -> None:
            function(
                source.data_ptr(),
                address(edges),
                self._weights[0].data_ptr(),
                address(self._biases[0]),
                self._weights[1].data_ptr(),
                address(self._biases[1]),
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


def declare_block(function: Any) -> None:  # noqa: ANN401 - ctypes' own
    """Give a library's block its type, which is that of all of them."""
    function.argtypes = [
        *[ctypes.c_void_p] * 8,  # x, edges, weights and bias of each, out, scratch memory
        *[ctypes.c_int64] * 4,  # count, height, width, channels
        ctypes.c_float,
        *[ctypes.c_int64] * 2,  # part, of how many
    ]
    function.restype = None


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
