"""Restore a folder tree: what is to be done, the pipeline that does it, and what became of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from restore_cli.errors import ImageError, RestoreError, UsageError
from restore_cli.imaging.formats import FORMATS
from restore_cli.jobs.batch.claims import Claims, NoClaims, claims_in
from restore_cli.jobs.batch.file_stages import BatchStoppedError, FileStages, Work
from restore_cli.jobs.batch.input_file import source_of
from restore_cli.jobs.batch.inputs import Inputs, Selection, find_inputs
from restore_cli.jobs.batch.journal import JOURNAL_NAME, EmptyJournal, FileJournal, Journal
from restore_cli.jobs.batch.memory_shares import BatchMemory
from restore_cli.jobs.batch.pipeline import Pipeline, Stop
from restore_cli.jobs.batch.ray.worker_reports import take_over
from restore_cli.jobs.batch.report import (
    BatchEvent,
    BatchOptions,
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
from restore_cli.jobs.batch.stale_files import remove_leftovers
from restore_cli.jobs.batch.storage.base import Results
from restore_cli.jobs.batch.storage.local import LocalResults
from restore_cli.jobs.batch.storage.opening import results_in
from restore_cli.jobs.batch.watch import Watch
from restore_cli.jobs.restore.model_choice import choose_model, task_note
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.jobs.restore.targets import as_failure, requested_format
from restore_cli.methods.network import keeps_brightness, load_restorer
from restore_cli.weights.store import locate

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer

_RETRY_S = 0.2  # between two looks at what other processes are at work on


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


def _tidy_up(root: Path, journal: Journal, claims: Claims) -> None:
    """Remove and write down what was left in a folder of results by whoever was killed."""
    if not isinstance(claims, NoClaims):
        remove_leftovers(root, claims)
    take_over(root, journal)


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
        self._restorer: Restorer | None = None
        self._mutex = threading.Lock()
        self._noted: set[str] = set()

    def run(self) -> BatchReport:
        started_s = time.monotonic()
        try:
            with ExitStack() as open_things:
                self._run(open_things)
        except BatchStoppedError as error:
            self.report.stopped_by = error
        except RestoreError as error:
            # Nothing has become of any file yet: it is the call that is wrong.
            if not self.report.handled:
                raise
            self.report.stopped_by = error
        self.report.seconds = time.monotonic() - started_s
        return self.report

    def _run(self, open_things: ExitStack) -> None:
        found = self._found()
        items = self._planned(found)
        values = settings_of(self.options, self.model)
        key = settings_key(values)
        if self.options.dry_run:
            self._foresee(items, found, self._stages(key, self._old_journal(open_things)))
            return
        self.results.prepare()
        journal, claims = self._shared(open_things)
        journal.describe(key, values)
        stages = self._stages(key, journal, claims)
        if not self.batch.watch:
            self._begin(items, found)
            self._restore(items, stages)
            return
        self._note(f"watching {', '.join(map(str, self.paths))}, until Ctrl-C")
        watch = Watch(self.batch.poll_s, self.stop)
        for ready in watch.arrivals(self._look):
            self._begin(ready, Inputs())
            self._restore(ready, stages)
        self.report.interrupted = not self._failed_fast

    def _look(self) -> list[Item]:
        """Return all inputs there are now; what is wrong is said once."""
        found = self._found()
        for text in (*found.notes, *map(str, found.failures)):
            self._note(text)
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
        for note in found.notes:
            self._note(note)
        for error in found.failures:
            item = Item(error.path or "", error.path or "", "")
            outcome = Outcome(item, "failed", error=as_failure(error, item.source))
            self.tell(BatchEvent("file", path=item.source, outcome=outcome))

    def _shared(self, open_things: ExitStack) -> tuple[Journal, Claims]:
        """Return what this process shares with others that write to the same folder."""
        if not isinstance(self.results, LocalResults):
            from restore_cli.jobs.batch.storage.remote import RemoteJournal, RemoteResults

            if not isinstance(self.results, RemoteResults):
                raise TypeError(f"no journal for {type(self.results)}")
            note = "nothing can be claimed in an object store: share the work with --shard"
            self._note(note)
            return self._told(RemoteJournal(self.results)), NoClaims()
        root = self.results.root
        claims = claims_in(root)
        if claims.note:
            self._note(claims.note)
        if not isinstance(claims, NoClaims):
            open_things.callback(claims.close)
        self._enter(claims, open_things)
        journal = FileJournal(root)
        open_things.callback(journal.close)
        _tidy_up(root, journal, claims)
        if self.batch.engine == "ray":  # its workers may have been ended at any moment
            open_things.callback(_tidy_up, root, journal, claims)
        return self._told(journal), claims

    def _enter(self, claims: Claims, open_things: ExitStack) -> None:
        """Share the folder with others of this kind; a cluster has it alone.

        Raises:
            ImageError: others are at work there.
        """
        is_cluster = self.batch.engine == "ray"
        right = claims.enter(alone=is_cluster)
        if right is None:
            what = "another batch is" if is_cluster else "a batch with --engine ray is"
            hint = "wait for it, or choose another folder with -o"
            raise ImageError(f"{what} at work here", path=self.results.title, hint=hint)
        open_things.callback(right.release)

    def _old_journal(self, open_things: ExitStack) -> Journal:
        """Return what earlier runs have done, for a look only."""
        if isinstance(self.results, LocalResults):
            if not (self.results.root / JOURNAL_NAME).exists():
                return EmptyJournal()
            journal = FileJournal(self.results.root, read_only=True)
            open_things.callback(journal.close)
            return self._told(journal)
        return self._shared(open_things)[0]

    def _told(self, journal: Journal) -> Journal:
        if journal.damaged:
            self._note(f"{journal.damaged} damaged lines in the journal are passed over")
        return journal

    def _stages(self, key: str, journal: Journal, claims: Claims | None = None) -> FileStages:
        weights_bytes = locate(self.model).stat().st_size
        return FileStages(
            options=self.options,
            settings=key,
            results=self.results,
            journal=journal,
            claims=claims or NoClaims(),
            memory=BatchMemory(weights_bytes, self.options.max_memory_bytes),
            load=self._load,
            stop=self.stop,
            tell=self.tell,
            retry_failed=self.batch.retry_failed,
            fail_fast=self.batch.fail_fast,
        )

    def _foresee(self, items: list[Item], found: Inputs, stages: FileStages) -> None:
        """Say what would become of each file."""
        self._begin(items, found)
        for item in items:
            if self.stop.wanted:
                break
            try:
                outcome = stages.foreseen(item, source_of(item))
            except RestoreError as error:
                outcome = Outcome(item, "failed", error=as_failure(error, item.source))
            self.tell(BatchEvent("file", path=item.source, outcome=outcome))
        self.report.interrupted = self.stop.wanted

    def _restore(self, items: list[Item], stages: FileStages) -> None:
        if self.batch.engine == "ray":
            from restore_cli.jobs.batch.ray.driver import restore_on_cluster

            restore_on_cluster(items, stages, self.model, self.batch)
        else:
            pipeline: Pipeline[Item, Work] = Pipeline(stages, self.stop)
            pipeline.run(self._with_deferred(items, stages.deferred))
        if self.stop.wanted:
            # With --watch there is no other end than being stopped.
            self.report.interrupted = not self._failed_fast

    @property
    def _failed_fast(self) -> bool:
        return self.batch.fail_fast and self.report.failed > 0

    def _with_deferred(self, items: list[Item], deferred: list[Item]) -> Iterator[Item]:
        """Yield every file, and in the end those that others were at work on, until they are."""
        yield from items
        while deferred:
            again = list(deferred)
            deferred.clear()
            yield from again
            if deferred:
                self._note(f"waiting for another process, at work on {len(deferred)} files")
                time.sleep(_RETRY_S)

    def _load(self) -> Restorer:
        if self._restorer is None:
            try:
                self._restorer = load_restorer(
                    self.model, self.options.engine, check=keeps_brightness(self.options.task)
                )
            except RestoreError as error:
                raise BatchStoppedError(error) from error
            restorer = self._restorer
            text = (
                f"model {restorer.card.name}, device {restorer.device},"
                f" precision {restorer.precision}"
            )
            self.tell(BatchEvent("model", text=text))
        return self._restorer

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.tell(BatchEvent("note", text=text))

    def tell(self, event: BatchEvent) -> None:
        """Count what became of files, and pass events on, one at a time."""
        with self._mutex:
            if event.outcome is not None:
                self.report.add(event.outcome)
                if self._failed_fast:
                    self.stop.wanted = True
            self.on_event(event)
