"""The convolutions of `winograd` on images of bfloat16, where the processor has AVX-512 for them.

Numbers are widened to float32 when they are read and rounded when they are written, and nowhere
between, so that results are nearer to float32's than oneDNN's. Ask `is_available` before anything
else here.
"""

from __future__ import annotations

import ctypes

import torch
from torch import nn

from restore_cli.engine.kernels import winograd
from restore_cli.engine.kernels.library import is_switched_off

_LEAST_CHANNELS = 16  # with fewer in or out, oneDNN is faster


def is_available() -> bool:
    """Whether the library is there, this processor runs it, and RESTORE_KERNELS is not "off"."""
    return not is_switched_off() and winograd.wide_library() is not None


class Conv3x3(winograd.WinogradConv3x3):
    """As fast as oneDNN's with 16 channels, 1.4 to 1.7 times with 32 and more."""

    dtype = torch.bfloat16
    _suffix = "_bf16"

    @staticmethod
    def library() -> ctypes.CDLL | None:
        return winograd.wide_library()

    @classmethod
    def takes(cls, conv: nn.Conv2d) -> bool:
        is_narrow = min(conv.in_channels, conv.out_channels) < _LEAST_CHANNELS
        return not is_narrow and super().takes(conv)


convolve, input_gradient = Conv3x3.convolve, Conv3x3.input_gradient
weight_gradient = Conv3x3.weight_gradient
