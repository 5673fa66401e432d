"""Bilinear doubling of images that is added to others in one pass over them.

The library (`doubling.cpp`) is built on installation where there is a C++ compiler, and used in
bfloat16 where the processor has AVX-512 with instructions for it; elsewhere PyTorch does the same.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from models.blocks.resize import bilinear_double
from restore_cli.engine.kernels.library import is_switched_off, load_library, scratch
from restore_cli.engine.kernels.threads import in_parts

LIBRARY: Final = Path(__file__).with_name("libdoubling.so")

_INTERFACE: Final = 1  # of the library, see doubling.cpp
_MULTIPLE: Final = 8  # of which there are so many channels


def add_doubled(total: Tensor, x: Tensor) -> Tensor:
    """Return ``total + bilinear_double(x)``, in the memory of ``total``.

    Args:
        total: (N, C, 2H, 2W).
        x: (N, C, H, W).
    """
    library = None if is_switched_off() else _library()
    if library is None or not _takes(total, x):
        return total.add_(bilinear_double(x))
    n, channels, height, width = x.shape

    def compute(part: int, parts: int) -> None:
        library.restore_doubling_add(
            x.data_ptr(),
            total.data_ptr(),
            scratch(width * channels).data_ptr(),
            n,
            height,
            width,
            channels,
            part,
            parts,
        )

    in_parts(compute, work=16 * total.numel())
    return total


def _takes(total: Tensor, x: Tensor) -> bool:
    n, channels, height, width = x.shape
    return channels % _MULTIPLE == 0 and all(
        tuple(image.shape) == (n, channels, side * height, side * width)
        and image.dtype == torch.bfloat16
        and image.device.type == "cpu"
        and image.is_contiguous(memory_format=torch.channels_last)
        for image, side in ((x, 1), (total, 2))
    )


@functools.cache
def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_doubling_interface() == _INTERFACE
    add = library.restore_doubling_add
    add.argtypes = [*[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 6]
    add.restype = None
    return is_ours and bool(library.restore_doubling_supported())
