"""Sets how the threads of OpenMP, which torch computes with, wait for work."""

from __future__ import annotations

import os

_POLICY = "OMP_WAIT_POLICY"
_CHOSEN_BY_USER = (_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def let_waiting_threads_sleep() -> None:
    """Let threads of OpenMP sleep while they wait, unless the user chose otherwise.

    By default they look for work for some milliseconds after each operation. They then take the
    cores away from the compiled kernels' own threads: MIRNet at 256×256 on two cores took 1.56
    instead of 1.34 s (restore bench -m mirnet --size 256x256 --pooling global). Must be called
    before torch is imported.
    """
    if not any(name in os.environ for name in _CHOSEN_BY_USER):
        os.environ[_POLICY] = "PASSIVE"
