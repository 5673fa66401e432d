"""Computes residual blocks of 16 or 24 channels in bfloat16 on AVX-512, by our own library.

The library (`avx512_block.cpp`) is built on installation, where the C++ compiler knows the
instructions. It runs on processors that have them but no AMX: AMD from Zen 4 on, Intel from Cooper
Lake on. Where there is AMX, `amx` is faster.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from restore_cli.engine.kernels.conv3x3 import CompiledConv3x3
from restore_cli.engine.kernels.library import is_switched_off, load_library
from restore_cli.engine.kernels.residual_block import CompiledBlock, declare_block

LIBRARY: Final = Path(__file__).with_name("libavx512_block.so")

_INTERFACE: Final = 1  # of the library, see avx512_block.cpp
_CHANNELS: Final = (16, 24)
_LANES: Final = 16


def is_available() -> bool:
    """Whether the library is there, this processor runs it, and RESTORE_KERNELS is not "off"."""
    return not is_switched_off() and _library() is not None


class ResidualBlock(CompiledBlock):
    """Weights are rounded to bfloat16, sums are float32."""

    @staticmethod
    def library() -> ctypes.CDLL | None:
        return _library()

    @classmethod
    def function(cls, library: ctypes.CDLL) -> Any:  # noqa: ANN401 - ctypes' own
        return library.restore_narrow_block

    @classmethod
    def scratch_floats(cls, library: ctypes.CDLL, width: int, channels_in: int) -> int:
        return -(-int(library.restore_narrow_scratch(width, channels_in)) // 2)

    @classmethod
    def ordered(cls, weight: Tensor) -> Tensor:
        """Return (3, pairs, 16 or 32, 2), bfloat16: see the library."""
        channels = len(weight)
        taps = weight.detach().permute(2, 3, 1, 0).reshape(3, 3 * channels // 2, 2, channels)
        taps = taps.transpose(2, 3)
        again = taps[:, :, _LANES:]  # for a second pixel
        return torch.cat((taps, again), dim=2).contiguous().to(torch.bfloat16)

    @classmethod
    def takes_each(cls, conv: nn.Conv2d) -> bool:
        is_narrow = conv.in_channels == conv.out_channels and conv.in_channels in _CHANNELS
        return is_narrow and CompiledConv3x3.takes(conv)


def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_narrow_interface() == _INTERFACE
    library.restore_narrow_scratch.argtypes = [ctypes.c_int64] * 2
    library.restore_narrow_scratch.restype = ctypes.c_int64
    declare_block(library.restore_narrow_block)
    return is_ours and bool(library.restore_narrow_supported())
