"""Peak memory of one call, measured in a process of its own so that peaks do not mix."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from restore_cli.engine.device import choose_device
from restore_cli.engine.memory import give_back_freed
from restore_cli.errors import DeviceError, RestoreError
from restore_cli.jobs.bench.report import Memory
from restore_cli.jobs.bench.subjects import picture
from restore_cli.jobs.bench.timing import synchronise
from restore_cli.jobs.bench.variants import Variant

_PROC = Path("/proc/self")
_FORGET_PEAK = "5"  # Linux, proc(5), clear_refs
# The CPU allocator's way to say it; it raises no class of its own.
_ALLOCATOR_MESSAGE = "can't allocate memory"


def peak_memory(
    variant: Variant, *, width: int, height: int, device: str, threads: int
) -> Memory | None:
    """Return what one call of a variant needs at its peak; None where the system does not tell.

    Raises:
        DeviceError: it needs more than there is.
        RestoreError: whatever else stops the variant.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (sender, variant, width, height, device, threads)
    process = context.Process(target=_send_peak, args=arguments, daemon=True)
    process.start()
    sender.close()  # so that the end of the process ends the wait
    try:
        outcome: Memory | RestoreError | None = receiver.recv()
    except EOFError:
        process.join()
        # The system ends what takes too much with a signal; anything else is a mistake of ours.
        code = process.exitcode or 0
        what = "out of memory" if code == -signal.SIGKILL else f"the process ended with {code}"
        raise DeviceError(what) from None
    finally:
        receiver.close()
        process.kill()
        process.join()
    if isinstance(outcome, RestoreError):
        raise outcome
    return outcome


def _send_peak(
    sender: Connection, variant: Variant, width: int, height: int, device: str, threads: int
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says that we were interrupted
    logging.captureWarnings(True)
    logging.getLogger().setLevel(logging.ERROR)
    try:
        sender.send(_measure(variant, width, height, choose_device(device), threads))
    except RestoreError as error:
        sender.send(error)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and (
            _ALLOCATOR_MESSAGE not in str(error)
        ):
            raise
        sender.send(DeviceError("out of memory"))


def _measure(
    variant: Variant, width: int, height: int, device: torch.device, threads: int
) -> Memory | None:
    pixels = picture(width, height)
    run = variant.load(threads)
    gc.collect()
    if device.type == "cuda" and run.backend != "CPUExecutionProvider":
        synchronise(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run(pixels)
        peak = torch.cuda.max_memory_allocated(device)
        return Memory(peak - before, peak)
    give_back_freed()  # of loading, which would hide what the call needs
    with contextlib.suppress(OSError):  # not allowed everywhere; the peak so far is then a bound
        (_PROC / "clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
    before = _resident_bytes("VmRSS")
    run(pixels)
    peak = _resident_bytes("VmHWM")
    return Memory(peak - before, peak) if before and peak else None


def _resident_bytes(field: str) -> int:
    """Return a size from the process's status; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "status").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024
    if sys.platform == "darwin":
        import resource  # Unix only

        # Of the peak only; before the call that is the peak of loading, at most a little more.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0
