"""Images that are added to others of twice their size, in one pass over those.

The library (`upsample_add.cpp`) is built on installation where there is a C++ compiler, and used in
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
from restore_cli.engine.kernels.threads import Split

LIBRARY: Final = Path(__file__).with_name("libupsample_add.so")

_INTERFACE: Final = 1  # of the library, see upsample_add.cpp
_MULTIPLE: Final = 8  # of which there are so many channels

CORNERS: Final = ((0, 0), (0, 1), (1, 0), (1, 1))  # of each 2×2 pixels, by row and column


def add_doubled(total: Tensor, x: Tensor) -> Tensor:
    """Return ``total + bilinear_double(x)``, in the memory of ``total``.

    Args:
        total: (N, C, 2H, 2W).
        x: (N, C, H, W).
    """
    library = _library_for_twice(total, x)
    if library is None:
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

    Split(16 * total.numel()).run(compute)
    return total


def add_repeated(total: Tensor, x: Tensor) -> Tensor:
    """Return ``total`` plus ``x`` with each pixel repeated, in the memory of ``total``.

    Args:
        total: (N, C, 2H, 2W).
        x: (N, C, H, W).
    """
    library = _library_for_twice(total, x)
    if library is None:
        for a, b in CORNERS:
            total[:, :, a::2, b::2].add_(x)
        return total
    for one, other in zip(total, x, strict=True):
        library.restore_doubling_repeat(other.data_ptr(), one.data_ptr(), *_size(other))
    return total


def add_unpacked(total: Tensor, packed: Tensor) -> Tensor:
    """Return ReLU of ``total`` plus what is packed, in the memory of ``total``.

    Args:
        total: (N, C, 2H, 2W), may be some rows of an image.
        packed: (N, H or H + 1, W or W + 1, 2, 2, C): the four pixels of the larger image for each
            one of a smaller; with a row and a column more, those below and on the right are there.
    """
    n, height, width, _, _, channels = packed.shape
    further = height - total.shape[2] // 2
    rows, columns = height - further, width - further
    library = _library_for(total, packed)
    shape = (n, channels, 2 * rows, 2 * columns)
    if library is None or tuple(total.shape) != shape or not packed.is_contiguous():
        for a, b in CORNERS:
            down, right = a * further, b * further
            added = packed[:, down : down + rows, right : right + columns, a, b]
            total[:, :, a::2, b::2].add_(added.permute(0, 3, 1, 2))
        return total.relu_()
    for one, other in zip(total, packed, strict=True):
        address = one.data_ptr()
        library.restore_doubling_unpack(other.data_ptr(), address, rows, columns, channels, further)
    return total


def _library_for_twice(total: Tensor, x: Tensor) -> ctypes.CDLL | None:
    """Return the library if ``total`` is twice as large as ``x``, and it can add such images."""
    n, channels, height, width = x.shape
    fits = tuple(total.shape) == (n, channels, 2 * height, 2 * width)
    fits = fits and x.is_contiguous(memory_format=torch.channels_last)
    return _library_for(total, x) if fits else None


def _size(image: Tensor) -> tuple[int, int, int]:
    channels, height, width = image.shape
    return height, width, channels


def _library_for(total: Tensor, x: Tensor) -> ctypes.CDLL | None:
    """Return the library if it can add something like ``x`` to these rows of an image."""
    is_half = all(t.dtype == torch.bfloat16 and t.device.type == "cpu" for t in (total, x))
    channels = total.shape[1]
    if not is_half or channels % _MULTIPLE or is_switched_off():
        return None
    pixels = (1, total.shape[3] * channels, channels)  # strides, of whatever rows
    return _library() if (total.stride(1), total.stride(2), total.stride(3)) == pixels else None


@functools.cache
def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_doubling_interface() == _INTERFACE
    add = library.restore_doubling_add
    add.argtypes = [*[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 6]
    add.restype = None
    for function, sizes in (
        (library.restore_doubling_repeat, 3),
        (library.restore_doubling_unpack, 4),
    ):
        function.argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_int64] * sizes]
        function.restype = None
    return is_ours and bool(library.restore_doubling_supported())
