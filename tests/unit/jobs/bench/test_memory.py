from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from restore_cli.errors import DeviceError
from restore_cli.jobs.bench.memory import peak_memory

HELD_MIB, WORK_MIB = 96, 160


@dataclass(frozen=True)
class Hungry:
    """Holds some memory from the start, and needs more while it runs."""

    name: str = "hungry"
    ends_by: str = ""

    def load(self, threads):
        return Running(self.ends_by)


class Running:
    precision = "fp32"
    backend = ""

    def __init__(self, ends_by):
        self.ends_by = ends_by
        self.held = np.ones(HELD_MIB * 2**18, np.float32)
        np.ones(2 * WORK_MIB * 2**18, np.float32)  # a peak before the call, which is not its own

    def __call__(self, pixels):
        if self.ends_by == "signal":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.ends_by == "allocator":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")
        np.ones(WORK_MIB * 2**18, np.float32)
        return pixels


def measured(**facts):
    return peak_memory(Hungry(**facts), width=16, height=8, device="cpu", threads=1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is a bound only")
def test_values():
    memory = measured()
    assert abs(memory.extra_bytes / 2**20 - WORK_MIB) < 16  # the kernel counts in batches
    assert memory.total_bytes / 2**20 > HELD_MIB + WORK_MIB


@pytest.mark.parametrize("ends_by", ["signal", "allocator"])
def test_too_little_memory_is_one_error(ends_by):
    with pytest.raises(DeviceError, match=r"^out of memory$"):
        measured(ends_by=ends_by)
