"""How large a tile may be: a first guess from free memory, and what to do when it was wrong."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch

from restore_cli.errors import DeviceError

T = TypeVar("T")

SMALLEST_TILE = 128

# What an automatic tile may need, however much is free: larger ones win little (the context of a
# tile costs less of it) and would surprise whoever shares the machine.
AUTO_TILE_BYTES = 2 * 2**30
# Likewise, of pixels in the tile of each worker; in one that they share, twice as many.
AUTO_TILE_PIXELS = 768**2

# Of the memory that is free; the rest is for whoever else asks while we run.
_USABLE_SHARE = 0.6
_GUESSED_FREE_BYTES = 2 * 2**30  # where the system does not tell

# CPU allocator on Linux, on Windows, Apple GPUs: these raise no class of their own.
_ALLOCATOR_MESSAGES = ("can't allocate memory", "not enough memory", "MPS backend out of memory")

# Parts of a network leave pieces behind that the tensors of the next ones do not fit: without
# giving them back, 3 megapixels took 877 instead of 728 MiB (`mprnet-wide-deblur`, bf16).
_WORTH_GIVING_BACK = 8 * 2**20

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")

log = logging.getLogger(__name__)


def with_smaller_tiles(run: Callable[[int], T], tile: int, smallest: int) -> T:
    """Return ``run(tile)``, halving the tile each time memory runs out.

    Raises:
        DeviceError: out of memory at the smallest tile.
    """
    while True:
        try:
            return run(tile)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        # Outside the handler: while it runs, its traceback holds the tensors.
        _release_memory()
        if tile <= smallest:
            hint = "close other programs, or use --device cpu"
            raise DeviceError(f"out of memory, even with tiles of {tile} pixels", hint=hint)
        log.warning("out of memory with tiles of %d pixels, trying smaller ones", tile)
        tile = max(tile // 2, smallest)


def largest_tile(height: int, width: int, need_bytes_per_pixel: int, free_bytes: int) -> int:
    """Return the side of the largest tile that memory allows; the whole image's if it fits.

    Args:
        height: of the image, in pixels.
        width: likewise.
        need_bytes_per_pixel: see ``Backend``.
        free_bytes: see :func:`available_bytes`.
    """
    pixels = int(free_bytes * _USABLE_SHARE) // need_bytes_per_pixel
    if height * width <= pixels:
        return max(height, width)
    return max(SMALLEST_TILE, math.isqrt(pixels))


def give_back_freed() -> None:
    """Return to the system what the C library keeps of the memory that was freed; glibc only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def give_back_freed_if_large(tensor: torch.Tensor) -> None:
    """Do so where a tensor is as large as those that leave much behind."""
    if tensor.nbytes > _WORTH_GIVING_BACK:
        give_back_freed()


def available_bytes(device: torch.device) -> int:
    """Return how much memory could be had on a device now."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + unused)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return available_ram_bytes()


def available_ram_bytes(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """Return the free main memory, within the limits of the container we may be in."""
    limits = list(_container_free_bytes(proc, cgroups))
    system = _system_free_bytes(proc)
    if system is not None:
        limits.append(system)
    return max(0, min(limits, default=_GUESSED_FREE_BYTES))


def _system_free_bytes(proc: Path) -> int | None:
    for line in _lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _container_free_bytes(proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield what is left under each memory limit of this process's control groups, v1 and v2."""
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            base, limit_name, used_name = cgroups, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit_name, used_name = (
                cgroups / "memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        else:
            continue
        folder = base / group.lstrip("/")
        # Inside a container the group's own folder is often the root of what is mounted.
        for place in (
            folder,
            *(parent for parent in folder.parents if base in (parent, *parent.parents)),
        ):
            limit, used = _number(place / limit_name), _number(place / used_name)
            if limit is not None and used is not None:
                yield limit - used + _file_cache_bytes(place)


def _file_cache_bytes(group: Path) -> int:
    """Return what counts as used, but is given up as soon as someone needs it."""
    for line in _lines(group / "memory.stat"):
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    """Return the number a file holds; None if there is none, or it says ``max``."""
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(message in str(error) for message in _ALLOCATOR_MESSAGES)


def _release_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
