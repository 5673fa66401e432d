"""Connects to a Ray cluster, sizes the pool of workers, and runs tasks on it by Ray Data."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from restore_cli.errors import DeviceError, UsageError
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.ray.messages import Task
from restore_cli.jobs.batch.ray.worker import BatchWorker, WorkerSetup

if TYPE_CHECKING:
    from ray.data import Dataset

INSTALL = "pip install 'restore-cli[cluster]'"

# A file whose workers were killed so often is given up: its decoder may be what kills them.
RETRIES = 3
_MOST_BLOCKS = 10_000  # of a table; the scheduler's own work grows with them
_CONNECT_S = 10.0
_LOOK_S = 0.2  # between two looks at whether to stop

# Ray reads these when it is imported. What the user has set stays.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would phone home
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # it would print what workers say among our results
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # asks for it, by a warning
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


@contextmanager
def connected(address: str | None) -> Iterator[list[dict[str, float]]]:
    """Join a cluster, or start one on this machine; yield the resources of each machine.

    Args:
        address: of the cluster; None is RAY_ADDRESS, or the one that runs on this machine, or one
            for this batch only; "local" is always the last.

    Raises:
        UsageError: Ray is not installed.
        DeviceError: the cluster cannot be reached or started.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray: {error}", hint=INSTALL) from error
    where = address or os.environ.get("RAY_ADDRESS") or ""
    _check_answers(where)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        try:
            ray.init(
                address, include_dashboard=False, log_to_driver=False, logging_level=logging.FATAL
            )
        except Exception as error:
            what = f"no Ray cluster {where}: {_one_line(error)}"
            raise DeviceError(what, hint=_NO_CLUSTER) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in handlers.items():  # Ray takes them for itself
                    signal.signal(number, handler)
        logging.getLogger("ray.data").setLevel(logging.FATAL)
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens; Ray itself would try for minutes.

    Raises:
        DeviceError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        what = f"no Ray cluster {address}: {_one_line(error)}"
        raise DeviceError(what, hint=_NO_CLUSTER) from error


_NO_CLUSTER = "check --ray-address and RAY_ADDRESS"


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """How many workers a batch has, and how many CPUs and GPUs each takes."""

    workers: int
    cpus: int
    gpus: int

    @staticmethod
    def of(nodes: Sequence[dict[str, float]], workers: int | None, device: str) -> WorkerPool:
        """Return one worker for each GPU; without GPUs, one for each CPU.

        Args:
            nodes: what each machine has.
            workers: how many the user wants; on CPUs, each has its share of them.
            device: as the options name it.

        Raises:
            DeviceError: a GPU is asked for, and there is none.
        """
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        cpus = [int(node.get("CPU", 0)) for node in nodes]
        if device.startswith("cuda") and not gpus:
            raise DeviceError("the cluster has no GPU", hint="leave --device out, or say cpu")
        if gpus and device != "cpu":
            return WorkerPool(min(workers or gpus, gpus), 1, 1)
        count = max(1, min(workers or sum(cpus), sum(cpus)))
        return WorkerPool(count, max(1, min(sum(cpus) // count, max(cpus))), 0)

    def __str__(self) -> str:
        what = f"{self.gpus} GPU" if self.gpus else f"{self.cpus} CPU"
        return f"{self.workers} workers, {what} each"


def block_size(count: int) -> int:
    """Return how many tasks go to a worker together: one, unless there are very many."""
    return -(-count // _MOST_BLOCKS)


def answers(
    tasks: Sequence[Task], setup: WorkerSetup, pool: WorkerPool, size: int, stop: Stop
) -> Iterator[bytes]:
    """Yield the workers' answers as they arrive, until all are there or the batch is to stop.

    Tasks whose workers were killed too often have none.

    Raises:
        DeviceError: the cluster is lost.
    """
    arrived: SimpleQueue[bytes | BaseException | None] = SimpleQueue()

    def receive() -> None:
        try:
            for answer in _streamed(_dataset(tasks, setup, pool, size)):
                arrived.put(answer)
            arrived.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            arrived.put(error)

    # Ray waits without end; a signal is to be heard all the same.
    threading.Thread(target=receive, name="answers", daemon=True).start()
    while not stop.wanted:
        try:
            answer = arrived.get(timeout=_LOOK_S)
        except Empty:
            continue
        if answer is None:
            return
        if isinstance(answer, BaseException):
            what = f"the cluster is lost: {_one_line(answer)}"
            raise DeviceError(what, hint="the same command goes on") from answer
        yield answer


def _dataset(tasks: Sequence[Task], setup: WorkerSetup, pool: WorkerPool, size: int) -> Dataset:
    from ray.data import ActorPoolStrategy, DataContext, from_items

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # what could not be restored is listed in the end
    rows = [{"task": task.to_bytes()} for task in tasks]
    # Nothing waits behind a task: what kills its worker takes nothing else with it.
    actors = ActorPoolStrategy(size=min(pool.workers, len(rows)), max_tasks_in_flight_per_actor=1)
    return from_items(rows, override_num_blocks=-(-len(rows) // size)).map(
        BatchWorker,
        fn_constructor_args=(setup,),
        compute=actors,
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
        ray_remote_args_fn=lambda: {"max_task_retries": RETRIES},
    )


def _streamed(dataset: Dataset) -> Iterator[bytes]:
    batch: dict[str, Any]
    for batch in dataset.iter_batches(batch_size=None, prefetch_batches=0):
        yield from map(bytes, batch["answer"])


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]
