"""How the C library gives memory to tensors: from what was freed, not anew from the system."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

TUNABLES = "GLIBC_TUNABLES"

# glibc takes every block above 32 MiB from the system and gives it back when freed; each page of
# the next one is then cleared and mapped again. With these limits restoring 12 megapixels took
# 15.6 instead of 22.9 s, at a peak of 1853 instead of 1600 MiB (tests/benchmarks/large_images.py).
# Its per-thread cache would keep the end of each aligned block, without which the freed block is
# too short for the next of its size: 3 megapixels in fp32 took 1454 MiB with it, 1197 without.
_KEEP_FREED = ":".join(
    (
        "glibc.malloc.mmap_threshold=1073741824",
        "glibc.malloc.trim_threshold=2147483648",
        "glibc.malloc.tcache_count=0",
    )
)

# Those that run a network over tensors of tens of megabytes; `bench` compares with programs that do
# not set this.
_COMMANDS = ("deblur", "denoise", "derain", "enhance", "upscale", "batch", "eval")


def keep_freed_memory(arguments: Sequence[str]) -> None:
    """Start the program anew with the C library told to keep freed memory, where that helps.

    The limits are read when a process begins, so there is no way to set them from inside. Does
    nothing where the user has set any, and outside Linux with glibc.

    Args:
        arguments: of the program.
    """
    if not arguments or arguments[0] not in _COMMANDS or TUNABLES in os.environ:
        return
    if not sys.platform.startswith("linux") or not _is_glibc() or not sys.orig_argv:
        return
    environment = {**os.environ, TUNABLES: _KEEP_FREED}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def _is_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError, OSError):
        return False
