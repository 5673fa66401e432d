"""Runs a batch on a cluster: workers read, restore and write; this process keeps the journal.

A worker that is killed is replaced, and its file is restored again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from restore_cli.errors import RestoreError
from restore_cli.jobs.batch.file_stages import FileStages
from restore_cli.jobs.batch.input_file import input_file_of
from restore_cli.jobs.batch.known_results import BatchStoppedError
from restore_cli.jobs.batch.options import BatchOptions
from restore_cli.jobs.batch.ray.cluster import WorkerPool, answers, block_size, connected
from restore_cli.jobs.batch.ray.messages import Answer, Task
from restore_cli.jobs.batch.ray.worker import WorkerSetup
from restore_cli.jobs.batch.ray.worker_reports import WorkerReports
from restore_cli.jobs.batch.report import BatchEvent, Item, Outcome
from restore_cli.jobs.batch.storage.base import scheme_of
from restore_cli.jobs.restore.targets import as_failure


def restore_on_cluster(
    items: Sequence[Item], stages: FileStages, model: str, batch: BatchOptions
) -> None:
    """Restore on a cluster what is not done yet; to stop drops the files at work.

    Args:
        items: the inputs.
        stages: what one machine would do with them; here it is only asked what is known.
        model: a name or a weights file.
        batch: which cluster, and how many workers.

    Raises:
        UsageError: Ray is not installed.
        DeviceError: the cluster cannot be had.
        BatchStoppedError: no further file can be restored.
    """
    run = _Run(items, stages)
    run.sort_out()
    if not run.left or stages.stop.wanted:
        return
    setup = WorkerSetup(
        _absolute(model) if os.path.exists(model) else model,  # noqa: PTH110 - str all the way
        stages.options,
        stages.known.settings,
        _absolute(stages.known.results.path(".")),
    )
    with connected(batch.ray_address) as nodes:
        pool = WorkerPool.of(nodes, batch.workers, stages.options.engine.device)
        stages.tell(BatchEvent("model", text=f"ray cluster: {pool}"))
        stages.tell(BatchEvent("start"))
        run.restore(setup, pool, block_size(len(run.left)))
        if run.left and not stages.stop.wanted:
            # What has killed its workers may have taken others of its block with it.
            run.restore(setup, pool, 1)
    if not stages.stop.wanted:
        run.give_up()


class _Run:
    """Keeps track of the tasks that are left."""

    def __init__(self, items: Sequence[Item], stages: FileStages) -> None:
        self._items = items
        self._stages = stages
        self._worker_reports = WorkerReports(stages.known.results)
        self.left: dict[int, Task] = {}

    def sort_out(self) -> None:
        """Report what is known already; the rest becomes tasks."""
        stages = self._stages
        for number, item in enumerate(self._items):
            if stages.stop.wanted:
                return
            try:
                # Whether something else is in the place of a result, the workers see sooner.
                outcome = stages.known.outcome(item, input_file_of(item), is_claimed=True)
            except BatchStoppedError:
                raise
            except RestoreError as error:
                outcome = self._failed(item, error)
            if outcome is not None:
                self._say(outcome)
                continue
            may_replace = stages.known.may_replace(item)
            absolute = Item(_absolute(item.source), item.relative, item.output)
            self.left[number] = Task(number, absolute, may_replace)

    def restore(self, setup: WorkerSetup, pool: WorkerPool, size: int) -> None:
        """Let the workers restore what is left, and remember their answers.

        Raises:
            BatchStoppedError: no further file can be restored.
        """
        tasks = list(self.left.values())
        try:
            for data in answers(tasks, setup, pool, size, self._stages.stop):
                self._take(data)
        except BatchStoppedError:
            raise
        except RestoreError as error:
            raise BatchStoppedError(error) from error

    def _take(self, data: bytes) -> None:
        number = Answer.number_in(data)
        item = self._items[number]
        answer = Answer.of_bytes(data, item, self._stages.known.results.path(item.output))
        if answer.stopped_by is not None:
            raise BatchStoppedError(answer.stopped_by)
        if answer.outcome is None or self.left.pop(number, None) is None:
            return
        for record in answer.records:
            self._stages.known.journal.append(record)
            self._worker_reports.remove(record.output)
        self._say(answer.outcome)

    def give_up(self) -> None:
        """Report the tasks that are left as failed."""
        for number in self.left:
            item = self._items[number]
            what = "every worker was lost that tried it"
            error = RestoreError(what, path=item.source, hint="out of memory? look at ray's logs")
            self._say(self._failed(item, error))

    def _failed(self, item: Item, error: RestoreError) -> Outcome:
        path = self._stages.known.results.path(item.output)
        return Outcome(item, "failed", path, error=as_failure(error, item.source))

    def _say(self, outcome: Outcome) -> None:
        self._stages.tell(BatchEvent("file", path=outcome.item.source, outcome=outcome))


def _absolute(path: str) -> str:
    """Return an absolute path; a URL stays as it is."""
    return path if scheme_of(path) else os.path.abspath(path)  # noqa: PTH100 - str all the way
