"""A compiled library of kernels, and what its calls need."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)


def is_switched_off() -> bool:
    """Whether RESTORE_KERNELS is "off"."""
    return os.environ.get("RESTORE_KERNELS") == "off"


@functools.cache
def load_library(path: Path, declare: Callable[[ctypes.CDLL], bool]) -> ctypes.CDLL | None:
    """Return a library with its functions declared, or None where there is none to run.

    Looked for once; what becomes of the file later is not seen.

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


def required(library: ctypes.CDLL | None) -> ctypes.CDLL:
    """Return a library that is there.

    Raises:
        RuntimeError: it is not.
    """
    if library is None:
        raise RuntimeError("the compiled kernels are not available")
    return library


class CompiledKernel(ABC):
    """What is computed by a function of a library."""

    @staticmethod
    @abstractmethod
    def library() -> ctypes.CDLL | None:
        """Return the library, or None where there is none to run."""

    @classmethod
    @abstractmethod
    def function(cls, library: ctypes.CDLL) -> Any:  # noqa: ANN401 - ctypes' own
        """Return its function, declared."""

    @classmethod
    @abstractmethod
    def scratch_floats(cls, library: ctypes.CDLL, width: int, channels_in: int) -> int:
        """Return how much scratch memory a call needs."""


class _Memory(threading.local):
    """A buffer for each thread: one of its own for each call would cost more than a small image."""

    buffer: Tensor | None = None


_memory = _Memory()


def scratch(size: int) -> Tensor:
    """Return memory for so many floats; this thread's next call may get the same."""
    if _memory.buffer is None or _memory.buffer.numel() < size:
        _memory.buffer = torch.empty(size)
    return _memory.buffer
