"""Restores files or a pipe, one after another, and reports what became of each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import Literal

from restore_cli.errors import DeviceError, RestoreError
from restore_cli.jobs.restore.inputs import open_input
from restore_cli.jobs.restore.memory_budget import Budget, program_bytes
from restore_cli.jobs.restore.model_choice import choose_model, task_note
from restore_cli.jobs.restore.opening import open_work
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.jobs.restore.outputs import TargetOutput
from restore_cli.jobs.restore.prediction import START_S
from restore_cli.jobs.restore.report import Event, FileResult, OnEvent, RestoreReport, ignore_events
from restore_cli.jobs.restore.targets import (
    Target,
    as_failure,
    check_formats,
    check_target,
    plan_targets,
    requested_format,
    requested_suffix,
)
from restore_cli.jobs.restore.work import Facts, Notes, PlannedWork, Step, Work
from restore_cli.methods.method import Method
from restore_cli.methods.network import load_network
from restore_cli.weights.store import locate


def restore_files(
    inputs: Sequence[str],
    output: str | None,
    options: RestoreOptions,
    on_event: OnEvent = ignore_events,
) -> RestoreReport:
    """Restore images one after another; one that fails does not stop the others.

    Args:
        inputs: file names; ``-`` is standard input.
        output: a file, a folder, ``-``, or None for derived names.
        options: how to restore.
        on_event: told about every step.

    Raises:
        UsageError: what is asked contradicts itself; nothing was done.
        WeightsError: the model is unknown or damaged, or the task has none; nothing was done.
        DeviceError: there is no such device; nothing was done.
    """
    started_s = time.monotonic()
    # An unknown model is reported before torch is loaded.
    model, card = choose_model(options.task, options.model)
    encoding = replace(options.encoding, format=requested_format(options.encoding.format))
    options = replace(options, encoding=encoding)
    targets = plan_targets(
        inputs,
        output,
        task=options.task,
        suffix=requested_suffix(options.encoding.format),
        in_place=options.writing.in_place,
    )
    check_formats(targets, options.encoding.format)
    notes = task_note(card, options.task)
    for note in notes:
        on_event(Event("note", path=card.name, text=note))
    job = _Job(model, options, on_event, len(targets))
    results = tuple(job.run(index, target) for index, target in enumerate(targets, start=1))
    return RestoreReport(
        task=options.task,
        model=card.name,
        device=job.device,
        precision=job.precision,
        tile=str(options.engine.tile),
        files=results,
        seconds=time.monotonic() - started_s,
        dry_run=options.dry_run,
        notes=notes,
    )


class _Job:
    """Restores the inputs of one command; the model is loaded at the first that can be read."""

    def __init__(self, model: str, options: RestoreOptions, on_event: OnEvent, count: int) -> None:
        self._model = model
        self._options = options
        self._on_event = on_event
        self._count = count
        self._method: Method | None = None
        self._load_s = 0.0  # until the first input is planned
        weights_bytes = locate(model).stat().st_size
        self._budget = Budget(program_bytes(weights_bytes), options.max_memory_bytes)

    @property
    def device(self) -> str:
        return self._method.device if self._method else self._options.engine.device

    @property
    def precision(self) -> str:
        # The method may have changed its mind at the first image.
        return self._method.precision if self._method else self._options.engine.precision

    def run(self, index: int, target: Target) -> FileResult:
        """Restore one input; an error that concerns only this one becomes part of the result."""
        event = Event("start", path=target.source, index=index, count=self._count)
        self._on_event(event)
        started_s = time.monotonic()
        work: Work | None = None
        with _collected() as failure:
            work = self._opened(target)
        if work is not None:
            with closing(work):
                method = self._method or self._load()  # what fails here fails for all
                with _collected() as failure:
                    planned = work.plan(method, self._budget)
                    if self._options.dry_run:
                        return self._predicted(work.target, planned)
                    result = self._restored(work.target, planned, event)
                    result = replace(result, seconds=time.monotonic() - started_s)
                    self._on_event(replace(event, kind="done", result=result))
                    return result
        error = as_failure(failure[0], target.source)
        result = FileResult(target.source, target.path, "failed", error=error)
        self._on_event(replace(event, kind="failed", text=str(error), result=result))
        return result

    def _opened(self, target: Target) -> Work:
        """Open and load an input after all that can be checked before."""
        overwrite = self._options.writing.overwrite
        source = open_input(target.source)
        check_target(target, overwrite=overwrite)
        work = open_work(source, target, self._options, self._budget)
        try:
            work.load(self._budget)
            check_target(work.target, overwrite=overwrite)  # its suffix may be another now
        except BaseException:
            work.close()
            raise
        return work

    def _load(self) -> Method:
        started_s = time.monotonic()
        method = load_network(self._model, self._options.engine, self._options.task)
        self._method = method
        self._load_s = time.monotonic() - started_s + START_S
        text = f"model {method.model}, device {method.device}, precision {method.precision}"
        self._on_event(Event("model", text=text))
        return method

    def _predicted(self, target: Target, planned: PlannedWork) -> FileResult:
        prediction = planned.predict()
        # The first input also waits for the model.
        start_s, self._load_s = self._load_s, 0.0
        result = _result(target, planned.facts, "planned", planned.notes)
        seconds = prediction.seconds
        return replace(
            result,
            tiles=prediction.tiles,
            predicted_s=None if seconds is None else start_s + seconds,
            predicted_peak_bytes=prediction.peak_bytes,
        )

    def _restored(self, target: Target, planned: PlannedWork, event: Event) -> FileResult:
        def on_step(step: Step) -> None:
            self._on_event(
                replace(
                    event,
                    kind=step.unit,
                    done=step.done,
                    total=step.total,
                    frames_per_s=step.per_s,
                )
            )

        output = TargetOutput(target)
        restored = planned.restore(output, on_step)
        notes = restored.store(output)
        for note in notes:
            self._on_event(replace(event, kind="note", text=note))
        return _result(target, restored.facts, "done", notes)


def _result(
    target: Target, facts: Facts, status: Literal["done", "planned"], notes: Notes
) -> FileResult:
    return FileResult(target.source, target.path, status, notes=notes, **asdict(facts))


@contextmanager
def _collected() -> Iterator[list[RestoreError]]:
    """Catch what concerns one input only; the list holds it afterwards."""
    errors: list[RestoreError] = []
    try:
        yield errors
    except RestoreError as error:
        errors.append(error)
    except MemoryError as error:
        failure = DeviceError("out of memory", hint="try a smaller --tile")
        failure.__cause__ = error
        errors.append(failure)
