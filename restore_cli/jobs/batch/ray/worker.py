"""Runs on each worker of a cluster: takes a file through the stages, and returns an answer."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_cli.errors import RestoreError, WeightsError
from restore_cli.jobs.batch.claims import NoClaims, claims_in
from restore_cli.jobs.batch.file_stages import FileStages
from restore_cli.jobs.batch.known_results import BatchStoppedError, KnownResults
from restore_cli.jobs.batch.memory_shares import MemoryShares
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.ray.messages import Answer, Task
from restore_cli.jobs.batch.ray.worker_reports import WorkerReports
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import BatchEvent, Item, Outcome
from restore_cli.jobs.batch.settings import settings_key, settings_of
from restore_cli.jobs.batch.storage.base import Results
from restore_cli.jobs.batch.storage.local import LocalResults
from restore_cli.jobs.batch.storage.opening import results_in
from restore_cli.jobs.json_report import JsonObject
from restore_cli.methods.method import Method
from restore_cli.methods.network import load_network
from restore_cli.weights.store import locate

if TYPE_CHECKING:
    from restore_cli.jobs.restore.options import RestoreOptions

_RETRY_S = 0.2  # between two looks at what another process is at work on


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Tells a worker how to restore; the same for all workers."""

    model: str
    options: RestoreOptions
    settings: str  # their checksum, on the driver's machine
    folder: str  # of the results: a URL, or a path that holds on every machine


class BatchWorker:
    """Restores one file after another; starts at the first, so that its errors become answers."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._journal = WorkerJournal(results_in(setup.folder))
        self._stages: FileStages | None = None
        self._method: Method | None = None
        self._outcome: Outcome | None = None

    def __call__(self, row: dict[str, bytes]) -> dict[str, bytes]:
        """Take a task from a row of a table, and return the row of its answer."""
        return {"answer": self.answer(Task.of_bytes(row["task"])).to_bytes()}

    def answer(self, task: Task) -> Answer:
        """Restore a file, and return what became of it."""
        self._journal.begin(task)
        self._outcome = None
        try:
            self._restore(task.item)
        except RestoreError as error:
            cause = error.__cause__ if isinstance(error, BatchStoppedError) else None
            stopped_by = cause if isinstance(cause, RestoreError) else error
            return Answer(task.number, None, stopped_by=stopped_by)
        return Answer(task.number, self._outcome, tuple(self._journal.records))

    def _restore(self, item: Item) -> None:
        if self._stages is None:
            self._stages = self._set_up()
        stages = self._stages
        work = stages.prepare(item)
        while stages.deferred:  # a worker that was given up is at work on it still
            stages.deferred.clear()
            time.sleep(_RETRY_S)
            work = stages.prepare(item)
        if work is None:
            return
        try:
            stages.compute(work)
            stages.finish(work)
        except BaseException:
            stages.drop(work)
            raise

    def _set_up(self) -> FileStages:
        """Set up the stages.

        Raises:
            RestoreError: this machine cannot take part.
        """
        setup, results = self._setup, self._journal.results
        if settings_key(settings_of(setup.options, setup.model)) != setup.settings:
            hint = "install the same restore-cli, and have the same weights, on every machine"
            raise WeightsError(f"differ on {platform.node()}", path=setup.model, hint=hint)
        known = KnownResults(
            results,
            self._journal,
            setup.settings,
            retry_failed=True,  # the driver has sorted out what is not to be tried again
            overwrite=setup.options.writing.overwrite,
        )
        weights_bytes = locate(setup.model).stat().st_size
        return FileStages(
            options=setup.options,
            known=known,
            claims=claims_in(results.root) if isinstance(results, LocalResults) else NoClaims(),
            memory=MemoryShares(weights_bytes, setup.options.max_memory_bytes),
            load=self._load,
            stop=Stop(),
            tell=self._receive,
        )

    def _load(self) -> Method:
        if self._method is None:
            setup = self._setup
            try:
                self._method = load_network(setup.model, setup.options.engine, setup.options.task)
            except RestoreError as error:
                raise BatchStoppedError(error) from error
        return self._method

    def _receive(self, event: BatchEvent) -> None:
        if event.outcome is not None:
            self._outcome = event.outcome


class WorkerJournal:
    """The journal as a worker sees it: earlier reports on its task, and records for the driver."""

    damaged = 0

    def __init__(self, results: Results) -> None:
        self.results = results
        self.records: list[Record] = []
        self._reports = WorkerReports(results)
        self._reported: Record | None = None
        self._may_replace = False

    def begin(self, task: Task) -> None:
        """Start a task; another worker may have been killed over it."""
        self.records = []
        self._reported = self._reports.find(task.item.output)
        self._may_replace = task.may_replace or self._reported is not None

    def last(self, output: str) -> Record | None:
        return self._reported

    def has_written(self, output: str) -> bool:
        return self._may_replace

    def refresh(self) -> None:
        """Do nothing: nobody else works on this task."""

    def append(self, record: Record) -> None:
        if record.step == "writing":
            self._reports.write(record)
        else:
            self.records.append(record)

    def describe(self, settings: str, values: JsonObject) -> None:
        """Do nothing: the driver has done it."""
