"""Files or a pipe in, restored files and a report out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from restore_cli.errors import DeviceError, ImageError, RestoreError
from restore_cli.imaging.atomic import write_atomically
from restore_cli.imaging.formats import (
    decode_image,
    encode_with_notes,
    output_format,
    read_image,
)
from restore_cli.imaging.image import Image
from restore_cli.imaging.limits import VARIABLE, check_size
from restore_cli.imaging.listing import suffix_of
from restore_cli.imaging.pipes import read_stdin, write_stdout
from restore_cli.jobs.report import Event, FileResult, OnEvent, RestoreReport, ignore_events
from restore_cli.jobs.restore_image import restore_image
from restore_cli.jobs.targets import (
    STREAM,
    Target,
    as_failure,
    check_formats,
    check_source,
    check_target,
    plan_targets,
    requested_format,
    with_suffix,
)
from restore_cli.jobs.task_model import choose_model, task_note

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer

STRIP = 64  # pixels; JPEG 2000 encodes nothing much smaller
# Tasks whose results may be brighter or darker than what was given.
BRIGHTENING_TASKS = ("enhance",)


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """How to restore; the defaults are the command line's."""

    task: str = "deblur"
    model: str | None = None  # a name or a weights file; None: the task's best
    scale: int = 1  # how many times larger each side becomes before it is restored
    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    tile: int | Literal["auto"] = "auto"  # 0: the whole image at once
    overlap: int | Literal["auto"] = "auto"
    pooling: Literal["auto", "local", "global"] = "auto"
    tta: bool = False
    strength: float = 1.0
    format: str | None = None
    quality: int | None = None
    bit_depth: int | None = None
    strip_metadata: bool = False
    overwrite: bool = False
    in_place: bool = False
    dry_run: bool = False


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
    options = replace(options, format=requested_format(options.format))
    targets = plan_targets(
        inputs,
        output,
        task=options.task,
        suffix=None if options.format is None else suffix_of(options.format),
        in_place=options.in_place,
    )
    check_formats(targets, options.format)
    if options.dry_run:
        options = _with_device(options)
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
        tile=str(options.tile),
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

    @property
    def device(self) -> str:
        return str(self.restorer.device) if self.restorer else self.options.device

    @property
    def precision(self) -> str:
        # The engine may have changed its mind at the first image.
        return self.restorer.precision if self.restorer else self.options.precision

    def run(self, index: int, target: Target) -> FileResult:
        """Restore one input; an error that concerns only this one becomes part of the result."""
        say = Event("start", path=target.source, index=index, count=self.count)
        self.on_event(say)
        started_s = time.monotonic()
        with _collected() as failure:
            image, target = self._read(target)
            if self.options.dry_run:
                return self._planned(image, target)
        if not failure:
            restorer = self.restorer or self._load()  # what fails here fails for all
            with _collected() as failure:
                result = self._restore(image, restorer, target, say)
                result = replace(result, seconds=time.monotonic() - started_s)
                self.on_event(replace(say, kind="done", result=result))
                return result
        error = as_failure(failure[0], target.source)
        result = FileResult(target.source, target.path, "failed", error=error)
        self.on_event(replace(say, kind="failed", text=str(error), result=result))
        return result

    def _read(self, target: Target) -> tuple[Image, Target]:
        """Return the image and where its result goes, after all that can be checked beforehand."""
        check_source(target.source)
        check_target(target, overwrite=self.options.overwrite)
        image = _decoded(target.source)
        _check_enlarged(image, self.options.scale)
        target = with_suffix(target, output_format(image, requested=self.options.format))
        check_target(target, overwrite=self.options.overwrite)
        self._check_encoder(target, image)
        return image, target

    def _planned(self, image: Image, target: Target) -> FileResult:
        scale = self.options.scale
        size = (image.width * scale, image.height * scale)
        return FileResult(target.source, target.path, "planned", *size)

    def _load(self) -> Restorer:
        from restore_cli.engine.restorer import Restorer  # torch loads here

        options = self.options
        restorer = Restorer(
            self.model,
            device=options.device,
            precision=options.precision,
            tile=options.tile,
            overlap=options.overlap,
            pooling=options.pooling,
            tta=options.tta,
            strength=options.strength,
            check=options.task not in BRIGHTENING_TASKS,
        )
        self.restorer = restorer
        text = f"model {restorer.card.name}, device {self.device}, precision {self.precision}"
        self.on_event(Event("model", text=text))
        return restorer

    def _restore(self, image: Image, restorer: Restorer, target: Target, say: Event) -> FileResult:
        def on_tile(done: int, total: int) -> None:
            self.on_event(replace(say, kind="tiles", done=done, total=total))

        restored = restore_image(image, restorer, on_tile, self.options.scale)
        data, notes = self._encode(target, restored)
        _write(target, data)
        notes = (*restored.notes, *notes)
        for note in notes:
            self.on_event(replace(say, kind="note", text=note))
        return FileResult(
            input=target.source,
            output=target.path,
            status="done",
            width=restored.width,
            height=restored.height,
            channels=restored.pixels.shape[2],
            depth=restored.depth,
            notes=notes,
        )

    def _format(self, target: Target, image: Image) -> str:
        return output_format(image, target.path, self.options.format)

    def _check_encoder(self, target: Target, image: Image) -> None:
        """Encode a strip: what the format cannot hold fails before the network has worked."""
        self._encode(target, _long_strip(image, self.options.scale))

    def _encode(self, target: Target, image: Image) -> tuple[bytes, tuple[str, ...]]:
        options = self.options
        return encode_with_notes(
            image,
            format=self._format(target, image),
            quality=options.quality,
            bit_depth=options.bit_depth,
            strip_metadata=options.strip_metadata,
            name="<stdout>" if target.path == STREAM else target.path,
        )


def _with_device(options: RestoreOptions) -> RestoreOptions:
    """Return options that name the device and precision that ``auto`` stands for."""
    from restore_cli.engine.device import choose_device, choose_precision  # torch loads here

    device = choose_device(options.device)
    precision = choose_precision(device, options.precision)
    return replace(options, device=str(device), precision=precision)


def _check_enlarged(image: Image, scale: int) -> None:
    """Pass an image whose enlarged pixels are no more than any image may have.

    Raises:
        ImageError: they are.
    """
    width, height = image.width * scale, image.height * scale
    try:
        check_size(width, height)
    except ImageError as error:
        hint = f"try a smaller --scale, or set {VARIABLE}={width * height}"
        raise ImageError(f"enlarged {scale} times, {error.what}", hint=hint) from error


def _long_strip(image: Image, scale: int) -> Image:
    """Return the first rows or columns of an image, as long as its enlarged longer side."""
    shape = [scale * min(STRIP, side) for side in (image.height, image.width)]
    longer = int(image.width > image.height)
    shape[longer] = scale * (image.height, image.width)[longer]
    rows, columns = (np.arange(side) // scale for side in shape)
    alpha = None if image.alpha is None else image.alpha[rows][:, columns]
    return replace(image, pixels=image.pixels[rows][:, columns], alpha=alpha)


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


def _decoded(source: str) -> Image:
    return decode_image(read_stdin()) if source == STREAM else read_image(source)


def _write(target: Target, data: bytes) -> None:
    if target.path != STREAM:
        if not target.explicit:
            Path(target.path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target.path, data)
        return
    try:
        write_stdout(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"cannot write: {error.strerror or error}"
        raise ImageError(what, path="<stdout>", hint="free some space there") from error
