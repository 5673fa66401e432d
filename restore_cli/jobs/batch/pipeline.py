"""Reads the next files and writes the last ones, while one is restored."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

_NICE = 10  # of threads that read and write

Task = TypeVar("Task", contravariant=True)
Work = TypeVar("Work")


@dataclass(slots=True)
class Stop:
    """Tells a batch to end early; may be set from anywhere, also from a signal handler."""

    wanted: bool = False

    def is_wanted(self) -> bool:
        """Return whether the batch is to end."""
        return self.wanted


class StoppedError(Exception):
    """Drops the file at work, since the batch is to stop."""


class Stages(Protocol[Task, Work]):
    """The three stages of each task; each method runs in a thread of its own.

    An error that concerns one task only is not raised; it becomes part of the work.
    """

    def prepare(self, task: Task) -> Work | None:
        """Read; None: nothing is left to be done."""

    def compute(self, work: Work) -> None:
        """Restore.

        Raises:
            StoppedError: it was dropped on its way.
        """

    def finish(self, work: Work) -> None:
        """Write."""

    def drop(self, work: Work) -> None:
        """Forget what was not finished."""


class Pipeline(Generic[Task, Work]):
    """Runs tasks through the stages; ``compute`` runs in the thread that calls ``run``."""

    def __init__(self, stages: Stages[Task, Work], stop: Stop) -> None:
        self._stages = stages
        self._stop = stop
        self._ready: SimpleQueue[Work | None] = SimpleQueue()
        self._restored: SimpleQueue[Work | None] = SimpleQueue()
        self._crashes: list[BaseException] = []

    def run(self, tasks: Iterable[Task]) -> None:
        """Take all tasks through the stages, until they are finished or the batch is to stop.

        Raises:
            Exception: whatever a stage has raised; what was at work then is finished or dropped.
        """
        reader = threading.Thread(target=self._read, args=(tasks,), name="read", daemon=True)
        writer = threading.Thread(target=self._write, name="write", daemon=True)
        reader.start()
        writer.start()
        try:
            self._compute()
        except BaseException:
            self._stop.wanted = True
            self._drain()
            raise
        finally:
            reader.join()
            self._restored.put(None)
            writer.join()
        if self._crashes:
            raise self._crashes[0]

    def _read(self, tasks: Iterable[Task]) -> None:
        _give_way()
        try:
            for task in tasks:
                if self._stop.wanted:
                    break
                work = self._stages.prepare(task)
                if work is not None:
                    self._ready.put(work)
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._crash(error)
        finally:
            self._ready.put(None)

    def _compute(self) -> None:
        while (work := self._ready.get()) is not None:
            if self._stop.wanted:
                self._stages.drop(work)
                continue
            try:
                self._stages.compute(work)
            except StoppedError:
                self._stages.drop(work)
            except BaseException:
                self._stages.drop(work)
                raise
            else:
                self._restored.put(work)

    def _drain(self) -> None:
        """Drop what is read, so that a reader that waits for room comes to its end."""
        while (work := self._ready.get()) is not None:
            self._stages.drop(work)

    def _write(self) -> None:
        _give_way()
        while (work := self._restored.get()) is not None:
            if self._crashes:
                self._stages.drop(work)
                continue
            try:
                self._stages.finish(work)
            except BaseException as error:  # noqa: BLE001 - raised again by run
                self._stages.drop(work)
                self._crash(error)

    def _crash(self, error: BaseException) -> None:
        self._crashes.append(error)
        self._stop.wanted = True


def _give_way() -> None:
    """Lower this thread's priority, so that it uses cores that the network leaves free.

    A core that decodes holds up its share of an image, and with it the others: on two cores a batch
    of small pictures had 0.85 of the throughput of pure forwards, and so 0.91 or more
    (tests/benchmarks/batch_speed.py).
    """
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with contextlib.suppress(OSError):  # where a sandbox does not allow it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
