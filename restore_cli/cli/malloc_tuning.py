"""Tunes malloc of the C library for tensors, so that they cost fewer page faults.

A tensor is tens of megabytes large. glibc takes such a block from the system and gives it back when
it is freed. For the next block, the system clears and maps each page again, 4 KiB at a time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TUNABLES = "GLIBC_TUNABLES"

# With pages of 2 MiB this costs next to nothing, and freed memory goes back to the system at once.
# Two tiles of 768² in bf16 took as long as with the settings below, and less memory: 695 instead of
# 925 MiB (`mprnet-wide-deblur`), 420 instead of 480 (`mimo-unet-deblur`), 740 instead of 1000
# (`mprnet-local-denoise`).
_HUGE_PAGES = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.mmap_threshold=4194304",
        "glibc.malloc.tcache_count=0",
    )
)
_HUGE_PAGES_SINCE = (2, 35)  # the first glibc that can ask for them
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# Without huge pages, freed memory is kept for the next tensor: restoring 12 megapixels took 15.6
# instead of 22.9 s, at a peak of 1853 instead of 1600 MiB (tests/benchmarks/large_images.py). The
# cache of each thread is off: it would keep the end of each aligned block, and the rest would be
# too short for the next block of that size. 3 megapixels in fp32 took 1454 MiB with it, 1197
# without.
_KEEP_FREED = ":".join(
    (
        "glibc.malloc.mmap_threshold=1073741824",
        "glibc.malloc.trim_threshold=2147483648",
        "glibc.malloc.tcache_count=0",
    )
)

# The commands that run a network over large tensors. `bench` is not among them, because it compares
# with programs that do not tune malloc. `bench --plan` is: it predicts for these commands.
_COMMANDS = ("deblur", "denoise", "derain", "enhance", "upscale", "batch", "eval")


def avoid_page_faults(arguments: list[str]) -> None:
    """Start the program anew with malloc tuned, for commands that gain from it.

    glibc reads its settings when a process starts, so a running program cannot change them. Does
    nothing where the user has set any of them, or on a system without Linux and glibc.

    Args:
        arguments: the program's, without its name.
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
    """Return the settings of malloc that suit this machine.

    Args:
        glibc: the version of the C library.
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
    """Return the version of glibc; None if the C library is another one."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return tuple(map(int, version.split("."))) if name == "glibc" else None
    except (AttributeError, ValueError, OSError):
        return None
