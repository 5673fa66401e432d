"""Files or a pipe in, restored files and a report out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from restore_cli.atomic import write_atomically
from restore_cli.errors import DeviceError, ImageError, RestoreError
from restore_cli.imaging.pipes import write_stdout
from restore_cli.jobs.restore.memory_budget import Budget, program_bytes
from restore_cli.jobs.restore.model_choice import choose_model, task_note
from restore_cli.jobs.restore.opening import Opened, encode, open_input
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.jobs.restore.pixels import restore_image
from restore_cli.jobs.restore.prediction import planned, share_memory, variant_of
from restore_cli.jobs.restore.report import Event, FileResult, OnEvent, RestoreReport, ignore_events
from restore_cli.jobs.restore.targets import (
    STREAM,
    Target,
    as_failure,
    check_formats,
    plan_targets,
    requested_format,
    requested_suffix,
)
from restore_cli.jobs.restore.tiff_strips import restore_stream
from restore_cli.jobs.restore.video import (
    OpenedVideo,
    planned_video,
    restore_video,
    share_video,
    video_result,
)
from restore_cli.jobs.restore.video_files import open_video
from restore_cli.methods.network import keeps_brightness, load_restorer
from restore_cli.methods.speed_history import Clock, remember
from restore_cli.weights.store import locate

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer


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
    """The model, loaded at the first image that can be read, and what is done with each image."""

    def __init__(self, model: str, options: RestoreOptions, on_event: OnEvent, count: int) -> None:
        self.model = model
        self.options = options
        self.on_event = on_event
        self.count = count
        self.restorer: Restorer | None = None
        self.load_s = 0.0
        weights_bytes = locate(model).stat().st_size
        self.budget = Budget(program_bytes(weights_bytes), options.max_memory_bytes)

    @property
    def device(self) -> str:
        return str(self.restorer.device) if self.restorer else self.options.engine.device

    @property
    def precision(self) -> str:
        # The engine may have changed its mind at the first image.
        return self.restorer.precision if self.restorer else self.options.engine.precision

    def run(self, index: int, target: Target) -> FileResult:
        """Restore one input; an error that concerns only this one becomes part of the result."""
        say = Event("start", path=target.source, index=index, count=self.count)
        self.on_event(say)
        started_s = time.monotonic()
        opened: Opened | OpenedVideo | None
        with _collected() as failure:
            opened = open_video(target, self.options, self.budget)
            if opened is None:
                opened = open_input(target, self.options, self.budget)
        if not failure:
            with closing(opened):
                is_first = self.restorer is None
                restorer = self.restorer or self._load()  # what fails here fails for all
                with _collected() as failure:
                    if self.options.dry_run:
                        return self._planned(opened, restorer, self.load_s if is_first else 0.0)
                    if isinstance(opened, OpenedVideo):
                        result = self._restore_video(opened, restorer, say)
                    else:
                        result = self._restore(opened, restorer, say)
                    result = replace(result, seconds=time.monotonic() - started_s)
                    self.on_event(replace(say, kind="done", result=result))
                    return result
        error = as_failure(failure[0], target.source)
        result = FileResult(target.source, target.path, "failed", error=error)
        self.on_event(replace(say, kind="failed", text=str(error), result=result))
        return result

    def _planned(
        self, opened: Opened | OpenedVideo, restorer: Restorer, load_s: float
    ) -> FileResult:
        if isinstance(opened, OpenedVideo):
            return planned_video(opened, restorer, self.options, self.budget, load_s)
        return planned(opened, restorer, self.options, self.budget, load_s)

    def _load(self) -> Restorer:
        started_s = time.monotonic()
        restorer = load_restorer(
            self.model, self.options.engine, check=keeps_brightness(self.options.task)
        )
        self.restorer = restorer
        self.load_s = time.monotonic() - started_s
        text = f"model {restorer.card.name}, device {self.device}, precision {self.precision}"
        self.on_event(Event("model", text=text))
        return restorer

    def _restore(self, opened: Opened, restorer: Restorer, say: Event) -> FileResult:
        def on_tile(done: int, total: int) -> None:
            clock.tile_done(total)
            self.on_event(replace(say, kind="tiles", done=done, total=total))

        target, reader, options = opened.target, opened.reader, self.options
        if reader is None and self.budget.limit_bytes is None:
            restorer.max_memory_bytes = None
        else:
            share_memory(opened, restorer, options.scale, self.budget)
        clock = Clock()
        if reader is None:
            image = restore_image(opened.image, restorer, on_tile, options.scale)
            data, notes = encode(image, target, options)
            _write(target, data)
            notes = (*image.notes, *notes)
        else:
            image = reader.header
            _make_folder(target)
            notes = restore_stream(
                reader, restorer, target.path, on_tile,
                bit_depth=options.encoding.bit_depth,
                strip_metadata=options.encoding.strip_metadata,
            )  # fmt: skip
        if clock.is_worth_keeping:
            tiles = share_memory(opened, restorer, options.scale, self.budget).tiles
            remember(
                restorer, tiles, variant_of(options.engine.pooling, tta=options.engine.tta), clock
            )
        for note in notes:
            self.on_event(replace(say, kind="note", text=note))
        return FileResult(
            input=target.source,
            output=target.path,
            status="done",
            width=image.width,
            height=image.height,
            channels=image.pixels.shape[2],
            depth=image.depth,
            in_parts=reader is not None,
            notes=notes,
        )

    def _restore_video(self, opened: OpenedVideo, restorer: Restorer, say: Event) -> FileResult:
        total = opened.source.header.frames or 0

        def on_frame(done: int, frames_per_s: float) -> None:
            step = replace(say, kind="frames", done=done, total=total, frames_per_s=frames_per_s)
            self.on_event(step)

        share_video(opened, restorer, self.budget)
        _make_folder(opened.target)
        frames = restore_video(opened, restorer, self.options.scale, on_frame)
        result = video_result(opened, frames)
        for note in result.notes:
            self.on_event(replace(say, kind="note", text=note))
        return result


@contextmanager
def _collected() -> Iterator[list[RestoreError]]:
    """Catch what concerns one image only; the list holds it afterwards."""
    errors: list[RestoreError] = []
    try:
        yield errors
    except RestoreError as error:
        errors.append(error)
    except MemoryError as error:
        failure = DeviceError("out of memory", hint="try a smaller --tile")
        failure.__cause__ = error
        errors.append(failure)


def _write(target: Target, data: bytes) -> None:
    if target.path != STREAM:
        _make_folder(target)
        write_atomically(target.path, data)
        return
    try:
        write_stdout(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"cannot write: {error.strerror or error}"
        raise ImageError(what, path="<stdout>", hint="free some space there") from error


def _make_folder(target: Target) -> None:
    """Make a folder that was named with a slash."""
    if not target.explicit:
        Path(target.path).parent.mkdir(parents=True, exist_ok=True)
