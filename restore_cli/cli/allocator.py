"""How the C library gives memory to tensors, which are tens of megabytes each: without page faults.

glibc takes a block of that size from the system and gives it back when it is freed; each of its
pages is then cleared and mapped again, 4 KiB at a time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TUNABLES = "GLIBC_TUNABLES"

# With pages of 2 MiB that costs next to nothing, and nothing is left of what was freed: two tiles
# of 768² in bf16 took 695 instead of 925 MiB as below in the same time (`mprnet-wide-deblur`), 420
# instead of 480 (`mimo-unet-deblur`), 740 instead of 1000 (`mprnet-local-denoise`).
_HUGE_PAGES = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.mmap_threshold=4194304",
        "glibc.malloc.tcache_count=0",
    )
)
_HUGE_PAGES_SINCE = (2, 35)  # glibc can ask for them
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# Elsewhere freed memory is kept: restoring 12 megapixels took 15.6 instead of 22.9 s, at a peak of
# 1853 instead of 1600 MiB (tests/benchmarks/large_images.py). The per-thread cache would keep the
# end of each aligned block, without which the freed block is too short for the next of its size: 3
# megapixels in fp32 took 1454 MiB with it, 1197 without.
_KEEP_FREED = ":".join(
    (
        "glibc.malloc.mmap_threshold=1073741824",
        "glibc.malloc.trim_threshold=2147483648",
        "glibc.malloc.tcache_count=0",
    )
)

# Those that run a network over tensors of tens of megabytes. `bench` compares with programs that do
# not set this, but what it plans is for commands that do.
_COMMANDS = ("deblur", "denoise", "derain", "enhance", "upscale", "batch", "eval")


def avoid_page_faults(arguments: list[str]) -> None:
    """Start the program anew with the C library told how to get memory, where that helps.

    The limits are read when a process begins, so there is no way to set them from inside. Does
    nothing where the user has set any, and outside Linux with glibc.

    Args:
        arguments: of the program.
    """
    plans = arguments[:1] == ["bench"] and "--plan" in arguments
    if TUNABLES in os.environ or not (plans or set(arguments[:1]) & set(_COMMANDS)):
        return
    glibc = _glibc_version()
    if not sys.platform.startswith("linux") or glibc is None or not sys.orig_argv:
        return
    environment = {**os.environ, TUNABLES: tunables(glibc)}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def tunables(glibc: tuple[int, ...], setting: Path = _SETTING) -> str:
    """Return what to tell the C library.

    Args:
        glibc: its version.
        setting: the file in which Linux says whether memory may have huge pages.
    """
    try:
        pages = setting.read_text(encoding="utf-8")
    except OSError:
        pages = ""
    can_ask = glibc >= _HUGE_PAGES_SINCE
    are_huge = "[always]" in pages or ("[madvise]" in pages and can_ask)
    return _HUGE_PAGES if are_huge else _KEEP_FREED


def _glibc_version() -> tuple[int, ...] | None:
    """Return the version of the C library; None if it is another one."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return tuple(map(int, version.split("."))) if name == "glibc" else None
    except (AttributeError, ValueError, OSError):
        return None
