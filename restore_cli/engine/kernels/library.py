"""A compiled library of kernels, and what its calls need."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

_MOST_CHANNELS = 512  # more were not measured


def is_switched_off() -> bool:
    """Whether RESTORE_KERNELS is "off"."""
    return os.environ.get("RESTORE_KERNELS") == "off"


def load_library(path: Path, declare: Callable[[ctypes.CDLL], bool]) -> ctypes.CDLL | None:
    """Return a library with its functions declared, or None where there is none to run.

    Args:
        path: of the library, which may be missing.
        declare: gives the functions their types; returns whether this processor runs them.
    """
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
        return library if declare(library) else None
    except (OSError, AttributeError) as error:  # of another system, or of another version of ours
        log.warning("%s cannot be used: %s", path.name, error)
        return None


def is_plain(conv: nn.Conv2d) -> bool:
    """Whether it has stride 1, a zero padding of 1, no dilation and no groups."""
    geometry = (conv.stride, conv.padding, conv.dilation) == ((1, 1), (1, 1), (1, 1))
    return geometry and conv.groups == 1 and conv.padding_mode == "zeros"


def takes_weight(weight: Tensor, multiple: int) -> bool:
    """Whether a weight is float32, 3×3, on the CPU, with multiples of so many channels."""
    return (
        weight.ndim == 4
        and tuple(weight.shape[2:]) == (3, 3)
        and weight.dtype == torch.float32
        and weight.device.type == "cpu"
        and all(0 < c <= _MOST_CHANNELS and c % multiple == 0 for c in weight.shape[:2])
    )


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


def result_like(
    shape: tuple[int, int, int, int], dtype: torch.dtype, addend: Tensor | None, *, in_place: bool
) -> Tensor:
    """Return memory for a result: that of the addend, or new."""
    if in_place and addend is not None:
        return addend
    return torch.empty(shape, dtype=dtype, memory_format=torch.channels_last)


class _Memory(threading.local):
    """A buffer for each thread: one of its own for each call would cost more than a small image."""

    buffer: Tensor | None = None


_memory = _Memory()


def scratch(size: int) -> Tensor:
    """Return memory for so many floats; this thread's next call may get the same."""
    if _memory.buffer is None or _memory.buffer.numel() < size:
        _memory.buffer = torch.empty(size)
    return _memory.buffer
