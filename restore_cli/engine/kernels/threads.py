"""One computation on several threads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

# Multiplications for each thread that are worth waking it, about a fifth of a millisecond's.
_WORTH_A_THREAD = 2**24
# Small parts, so that a thread that is pushed aside by another program holds up little.
_PARTS_PER_THREAD = 4


def in_parts(
    compute: Callable[[int, int], None], work: int, parts_per_thread: int = _PARTS_PER_THREAD
) -> None:
    """Call ``compute(part, parts)`` for all parts, on as many threads as torch may use here.

    Workers that have a core each are set to one thread; they compute all of it themselves.

    Args:
        compute: must not need the interpreter's lock for long.
        work: multiplications in all.
        parts_per_thread: more than one balances the load.
    """
    threads = min(torch.get_num_threads(), work // _WORTH_A_THREAD)
    if threads < 2:
        compute(0, 1)
        return
    parts = threads * parts_per_thread
    pool = _pool(torch.get_num_threads() - 1)
    waiting = iter(range(parts))  # the interpreter's lock makes next() on it atomic

    def help_out() -> None:
        for part in waiting:
            compute(part, parts)

    helpers = [pool.submit(help_out) for _ in range(threads - 1)]
    help_out()
    for helper in helpers:
        helper.result()


@functools.cache
def _pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, "kernel")
