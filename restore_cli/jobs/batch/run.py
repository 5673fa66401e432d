"""Restores files and folder trees; can be stopped anywhere and run again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from restore_cli.errors import RestoreError, UsageError
from restore_cli.imaging.formats import FORMATS
from restore_cli.jobs.batch.claims import Claims
from restore_cli.jobs.batch.file_stages import FileAtWork, FileStages
from restore_cli.jobs.batch.input_file import input_file_of
from restore_cli.jobs.batch.inputs import Inputs, Selection, find_inputs
from restore_cli.jobs.batch.journal import Journal
from restore_cli.jobs.batch.known_results import BatchStoppedError, KnownResults
from restore_cli.jobs.batch.memory_shares import MemoryShares
from restore_cli.jobs.batch.options import BatchOptions
from restore_cli.jobs.batch.pipeline import Pipeline, Stop
from restore_cli.jobs.batch.report import (
    BatchEvent,
    BatchReport,
    Item,
    OnBatchEvent,
    Outcome,
    ignore_batch_events,
)
from restore_cli.jobs.batch.result_names import (
    check_folders,
    check_items,
    default_results,
    plan_items,
    shard_of,
)
from restore_cli.jobs.batch.settings import settings_key, settings_of
from restore_cli.jobs.batch.shared_folder import folder_to_read, shared_folder
from restore_cli.jobs.batch.storage.base import Results
from restore_cli.jobs.batch.storage.opening import results_in
from restore_cli.jobs.batch.watch import Watch
from restore_cli.jobs.restore.model_choice import choose_model, task_note
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.jobs.restore.targets import as_failure, requested_format
from restore_cli.methods.method import Method
from restore_cli.methods.network import load_network
from restore_cli.weights.store import locate

_RETRY_S = 0.2  # between two looks at files that other processes work on


def restore_batch(
    paths: Sequence[str],
    output: str | None,
    options: RestoreOptions,
    batch: BatchOptions | None = None,
    on_event: OnBatchEvent = ignore_batch_events,
    stop: Stop | None = None,
) -> BatchReport:
    """Restore files and folder trees; can be stopped anywhere and run again.

    Args:
        paths: files, folders, patterns, URLs.
        output: the folder of results; None is ``<folder>_<task>`` beside the only folder.
        options: how to restore.
        batch: which files, and how to go about it.
        on_event: told about every step, by one thread at a time.
        stop: set from elsewhere to end early; what is at work then is dropped or finished.

    Raises:
        UsageError: what is asked contradicts itself; nothing was done.
        ImageError: the folder of results cannot be used; nothing was done.
        WeightsError: the model is unknown or damaged, or the task has none.
        DeviceError: there is no such device.
    """
    if batch is not None and batch.watch and batch.engine == "ray":
        raise UsageError("--watch does not go with --engine ray", hint="leave one of them out")
    model, card = choose_model(options.task, options.model)
    encoding = replace(options.encoding, format=_image_format(options.encoding.format))
    options = replace(options, encoding=encoding)
    results = results_in(output or default_results(paths, options.task))
    check_folders(paths, results)
    job = _Batch(paths, results, model, options, batch or BatchOptions(), on_event, stop or Stop())
    job.report.model = card.name
    for note in task_note(card, options.task):
        job.tell(BatchEvent("note", path=card.name, text=note))
    return job.run()


def _image_format(name: str | None) -> str | None:
    """Return the name of a format for images.

    Raises:
        UsageError: there is none such.
    """
    found = requested_format(name)
    if found is not None and found not in FORMATS:
        what = f"{name} is no format for images"
        raise UsageError(what, hint="restore videos with restore deblur")
    return found


class _Batch:
    """One run of a batch."""

    def __init__(
        self,
        paths: Sequence[str],
        results: Results,
        model: str,
        options: RestoreOptions,
        batch: BatchOptions,
        on_event: OnBatchEvent,
        stop: Stop,
    ) -> None:
        self.paths = paths
        self.results = results
        self.model = model
        self.options = options
        self.batch = batch
        self.on_event = on_event
        self.stop = stop
        self.report = BatchReport(options.task, model, results.title, options.dry_run)
        self._method: Method | None = None
        self._mutex = threading.Lock()
        self._noted: set[str] = set()

    def run(self) -> BatchReport:
        started_s = time.monotonic()
        try:
            self._run()
        except BatchStoppedError as error:
            self.report.stopped_by = error
        except RestoreError as error:
            # Nothing has become of any file yet: it is the call that is wrong.
            if not self.report.handled:
                raise
            self.report.stopped_by = error
        self.report.seconds = time.monotonic() - started_s
        return self.report

    def _run(self) -> None:
        found = self._found()
        items = self._planned(found)
        values = settings_of(self.options, self.model)
        key = settings_key(values)
        if self.options.dry_run:
            with folder_to_read(self.results) as folder:
                self._note_all(folder.notes)
                self._foresee(items, found, self._known(key, folder.journal))
            return
        self.results.prepare()
        with shared_folder(self.results, is_cluster=self.batch.engine == "ray") as folder:
            self._note_all(folder.notes)
            folder.journal.describe(key, values)
            stages = self._stages(self._known(key, folder.journal), folder.claims)
            if self.batch.watch:
                self._watch(stages)
            else:
                self._begin(items, found)
                self._restore(items, stages)

    def _watch(self, stages: FileStages) -> None:
        """Restore what arrives, until the batch is to stop."""
        self._note(f"watching {', '.join(map(str, self.paths))}, until Ctrl-C")
        watch = Watch(self.batch.poll_s, self.stop)
        for ready in watch.arrivals(self._look):
            self._begin(ready, Inputs())
            self._restore(ready, stages)
        self.report.interrupted = not self._failed_fast

    def _look(self) -> list[Item]:
        """Return all inputs there are now; repeat no note."""
        found = self._found()
        self._note_all((*found.notes, *map(str, found.failures)))
        return self._planned(found)

    def _found(self) -> Inputs:
        selection = Selection(self.batch.include, self.batch.exclude, self.results.identity("."))
        return find_inputs(self.paths, selection, self.batch.base)

    def _planned(self, found: Inputs) -> list[Item]:
        items = plan_items(found.files, self.options.encoding.format)
        check_items(items, self.results)
        return shard_of(items, self.batch.shard)

    def _begin(self, items: list[Item], found: Inputs) -> None:
        self.report.total += len(items) + len(found.failures)
        self.tell(BatchEvent("found", total=self.report.total))
        self._note_all(found.notes)
        for error in found.failures:
            item = Item(error.path or "", error.path or "", "")
            outcome = Outcome(item, "failed", error=as_failure(error, item.source))
            self.tell(BatchEvent("file", path=item.source, outcome=outcome))

    def _known(self, key: str, journal: Journal) -> KnownResults:
        return KnownResults(
            self.results,
            journal,
            key,
            retry_failed=self.batch.retry_failed,
            overwrite=self.options.writing.overwrite,
        )

    def _stages(self, known: KnownResults, claims: Claims) -> FileStages:
        weights_bytes = locate(self.model).stat().st_size
        return FileStages(
            options=self.options,
            known=known,
            claims=claims,
            memory=MemoryShares(weights_bytes, self.options.max_memory_bytes),
            load=self._load,
            stop=self.stop,
            tell=self.tell,
            fail_fast=self.batch.fail_fast,
        )

    def _foresee(self, items: list[Item], found: Inputs, known: KnownResults) -> None:
        """Report what would become of each file."""
        self._begin(items, found)
        for item in items:
            if self.stop.wanted:
                break
            try:
                outcome = known.foreseen(item, input_file_of(item))
            except RestoreError as error:
                outcome = Outcome(item, "failed", error=as_failure(error, item.source))
            self.tell(BatchEvent("file", path=item.source, outcome=outcome))
        self.report.interrupted = self.stop.wanted

    def _restore(self, items: list[Item], stages: FileStages) -> None:
        if self.batch.engine == "ray":
            from restore_cli.jobs.batch.ray.driver import restore_on_cluster

            restore_on_cluster(items, stages, self.model, self.batch)
        else:
            pipeline: Pipeline[Item, FileAtWork] = Pipeline(stages, self.stop)
            pipeline.run(self._with_deferred(items, stages.deferred))
        if self.stop.wanted:
            # With --watch there is no other end than being stopped.
            self.report.interrupted = not self._failed_fast

    @property
    def _failed_fast(self) -> bool:
        return self.batch.fail_fast and self.report.failed > 0

    def _with_deferred(self, items: list[Item], deferred: list[Item]) -> Iterator[Item]:
        """Yield every file; then those that other processes worked on, until they are done."""
        yield from items
        while deferred:
            again = list(deferred)
            deferred.clear()
            yield from again
            if deferred:
                self._note(f"waiting for another process, at work on {len(deferred)} files")
                time.sleep(_RETRY_S)

    def _load(self) -> Method:
        if self._method is None:
            try:
                self._method = load_network(self.model, self.options.engine, self.options.task)
            except RestoreError as error:
                raise BatchStoppedError(error) from error
            method = self._method
            text = f"model {method.model}, device {method.device}, precision {method.precision}"
            self.tell(BatchEvent("model", text=text))
        return self._method

    def _note_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._note(text)

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.tell(BatchEvent("note", text=text))

    def tell(self, event: BatchEvent) -> None:
        """Count outcomes, and pass events on, one at a time."""
        with self._mutex:
            if event.outcome is not None:
                self.report.add(event.outcome)
                if self._failed_fast:
                    self.stop.wanted = True
            self.on_event(event)
