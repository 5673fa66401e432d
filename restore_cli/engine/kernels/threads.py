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


class Split:
    """A computation cut into parts that several threads share.

    Workers that have a core each are set to one thread; they compute all of it themselves, in one
    part.

    Attributes:
        parts: how many there are.
    """

    def __init__(self, work: int, parts_per_thread: int = _PARTS_PER_THREAD) -> None:
        """Choose the parts by the threads that torch may use here.

        Args:
            work: multiplications in all.
            parts_per_thread: more than one balances the load.
        """
        self._threads = max(1, min(torch.get_num_threads(), work // _WORTH_A_THREAD))
        self.parts = self._threads * parts_per_thread if self._threads > 1 else 1

    def run(self, compute: Callable[[int, int], None]) -> None:
        """Call ``compute(part, parts)`` for all parts.

        Args:
            compute: must not need the interpreter's lock for long.
        """
        if self.parts == 1:
            compute(0, 1)
            return
        waiting = iter(range(self.parts))  # the interpreter's lock makes next() on it atomic

        def help_out() -> None:
            for part in waiting:
                compute(part, self.parts)

        pool = _pool(torch.get_num_threads() - 1)
        helpers = [pool.submit(help_out) for _ in range(self._threads - 1)]
        help_out()
        for helper in helpers:
            helper.result()


@functools.cache
def _pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers, "kernel")
