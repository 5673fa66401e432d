"""``restore train``: one recipe, one folder of data, one folder for the run."""

from __future__ import annotations

import json as json_module
import math
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console, is_terminal, rich_console
from restore_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from restore_cli.training.trainer import TrainEvent, TrainReport

    OnEvent = Callable[[TrainEvent], None]

TRAIN_EXAMPLES = """
\b
Examples:
  restore train --model mimo --data GoPro/train      pairs: input/ and target/, blur/ and sharp/
  restore train --model mimo-unet-deblur --data photos/ --max-time 30m
                                                     sharp photos; the blur is made on the fly
  restore train --recipe my.toml --data photos/ --set optimizer.lr=2e-4
  restore train --model mimo --data photos/ --check-data
Stopped at any time, the same command goes on where it was.
"""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def duration(text: str) -> float:
    """Return the seconds in ``90``, ``30m``, ``2h`` or ``1h30m``."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise typer.BadParameter(f"{text!r} is no time such as 90s, 30m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


def train(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of pairs, or of sharp photos.", metavar="DIR")
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="Network or recipe, such as mimo, mimo-plus, mimo-unet-deblur.",
            metavar="NAME",
        ),
    ] = "mimo",
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            help="A recipe file instead of a built-in one.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the run; default: runs/<recipe>.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(
            "--max-time",
            help="Stop, resumable, after this long: 90s, 30m, 1h30m.",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=1,
            help="Steps of the whole run; default: the recipe's.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="Fine-tune from this weights file; its network may be a smaller one.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a key of the recipe, as optimizer.lr=2e-4; may be repeated.",
            metavar="KEY=VALUE",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that read photos.", metavar="N")
    ] = 0,
    check_data: Annotated[
        bool, typer.Option("--check-data", help="List what would be trained on, and stop.")
    ] = False,
    json: options.Json = False,
    progress: options.Progress = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train or fine-tune a network; resumes by itself."""
    max_time_s = math.inf if max_time is None else duration(max_time)
    if check_data:
        _check_data(data)
        return
    from restore_cli.training.config import load_recipe, recipe_for
    from restore_cli.training.trainer import TrainOptions
    from restore_cli.training.trainer import train as run_training

    if recipe is not None and not recipe.is_file():
        raise UsageError("no such recipe file", path=recipe)
    chosen = str(recipe) if recipe else recipe_for(model)
    config = load_recipe(chosen, _overrides(settings or [], steps))
    folder = output or Path("runs") / config.name
    session = TrainOptions(device=device, max_time_s=max_time_s, workers=workers, weights=weights)
    try:
        with _shown() as on_event:
            report = run_training(config, data, folder, session, on_event)
    except KeyboardInterrupt:
        if _is_first_process():
            console.info(f"saved in {folder}; the same command goes on from there")
        raise
    if _is_first_process():
        _show(report)


def _is_first_process() -> bool:
    """Return whether this process is the one of those that train together which speaks."""
    return os.environ.get("RANK", "0") == "0"  # as torchrun and Accelerate number them


def _overrides(settings: list[str], steps: int | None) -> dict[str, object]:
    """Return dotted keys → values; a value is read as TOML, or taken as text."""
    values: dict[str, object] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            raise UsageError(f"--set {setting!r} is not KEY=VALUE")
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key] = text
    if steps is not None:
        values["schedule.steps"] = steps
    return values


def _check_data(data: Path) -> None:
    from restore_cli.training.sources import check_data

    listing = check_data(data)
    if console.json:
        console.json_object(
            {
                "pairs": len(listing.pairs),
                "photos": len(listing.photos),
                "strays": [str(path) for path in listing.strays],
            }
        )
        return
    console.text(
        f"{len(listing.pairs)} pairs" if listing.pairs else f"{len(listing.photos)} sharp photos"
    )
    for stray in listing.strays:
        console.text(f"without a partner: {stray}")


def _show(report: TrainReport) -> None:
    gain = f"held-back photos {report.psnr_in_db:.2f} -> {report.psnr_db:.2f} dB"
    if console.json:
        console.json_object(
            {
                "folder": str(report.folder),
                "step": report.step,
                "steps": report.steps,
                "is_finished": report.is_finished,
                "psnr_in_db": report.psnr_in_db,
                "psnr_db": report.psnr_db,
                "best_psnr_db": report.best_psnr_db,
                "elapsed_s": report.elapsed_s,
            }
        )
    elif report.is_finished:
        console.info(f"finished, {gain}; weights in {report.folder}")
    else:
        console.info(
            f"stopped at step {report.step} of {report.steps}, {gain};"
            f" the same command goes on from {report.folder}"
        )


@contextmanager
def _shown() -> Iterator[OnEvent]:
    """Give the trainer something to report to, in the form the command line asked for."""
    kind = console.progress if _is_first_process() else "none"
    if kind == "auto":
        kind = "bar" if is_terminal(sys.stderr) else "plain"
    if kind == "json":
        yield _json_event
    elif kind == "none" or console.quiet:
        yield lambda event: None
    elif kind == "bar":
        with _bar() as on_event:
            yield on_event
    else:
        yield lambda event: console.info(_line(event)) if event.kind != "saved" else None


def _json_event(event: TrainEvent) -> None:
    row = {"event": event.kind, "step": event.step, "steps": event.steps, **event.numbers}
    console.json_line(json_module.loads(json_module.dumps(row)))


def _line(event: TrainEvent) -> str:
    numbers = event.numbers
    at = f"step {event.step}/{event.steps}"
    if event.kind == "validation":
        return f"{at}: held-back {numbers['psnr_in_db']:.2f} -> {numbers['psnr_db']:.2f} dB"
    if event.kind == "step":
        rate = numbers["patches"] / max(numbers["elapsed_s"], 1e-9)
        return f"{at}: loss {numbers['loss']:.4f}, {rate:.1f} patches/s"
    return f"{at}: started"


@contextmanager
def _bar() -> Iterator[OnEvent]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=rich_console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=0)  # an epoch's steps are known when the folder is

        def on_event(event: TrainEvent) -> None:
            bar.update(task, completed=event.step, total=event.steps)
            if event.kind == "step":
                bar.update(task, description=_line(event).partition(": ")[2])
            elif event.kind == "validation":
                console.info(_line(event))

        yield on_event
