"""Means over windows around every pixel, in one pass over the image, however large they are.

The library (`window_means.cpp`) is built on installation where there is a C++ compiler, and used on
processors with AVX2; elsewhere PyTorch adds up the same with more passes.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from restore_cli.engine.kernels.library import is_switched_off, load_library, required, scratch
from restore_cli.engine.kernels.threads import Split

LIBRARY: Final = Path(__file__).with_name("libwindow_means.so")

_INTERFACE: Final = 1  # of the library, see window_means.cpp
_SUFFIXES: Final = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def can_take(x: Tensor) -> bool:
    """Return whether :func:`window_means` takes such an image."""
    fits = x.device.type == "cpu" and x.dtype in _SUFFIXES
    return fits and not is_switched_off() and _library() is not None


def window_means(x: Tensor, height: int, width: int) -> Tensor:
    """Return the means of all windows inside an image, added up in float32.

    Args:
        x: (N, C, H, W) that :func:`can_take` takes.
        height: of a window, at most H.
        width: of a window, at most W.

    Returns:
        (N, C, H - height + 1, W - width + 1), channels last, of the type of ``x``.
    """
    library = required(_library())
    x = x.contiguous(memory_format=torch.channels_last)
    n, channels, rows, columns = x.shape
    shape = (n, channels, rows - height + 1, columns - width + 1)
    means = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    function = getattr(library, f"restore_means_{_SUFFIXES[x.dtype]}")

    for one, out in zip(x, means, strict=True):

        def compute(part: int, parts: int, one: Tensor = one, out: Tensor = out) -> None:
            function(
                one.data_ptr(),
                out.data_ptr(),
                scratch((columns + 1) * channels).data_ptr(),
                rows,
                columns,
                channels,
                height,
                width,
                part,
                parts,
            )

        # Each part first adds up the rows of a window, so the fewer the better.
        Split(16 * one.numel(), parts_per_thread=1).run(compute)
    return means


@functools.cache
def _library() -> ctypes.CDLL | None:
    return load_library(LIBRARY, _declare)


def _declare(library: ctypes.CDLL) -> bool:
    is_ours = library.restore_means_interface() == _INTERFACE
    for suffix in _SUFFIXES.values():
        function = getattr(library, f"restore_means_{suffix}")
        function.argtypes = [*[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 7]
        function.restype = None
    return is_ours and bool(library.restore_means_supported())
