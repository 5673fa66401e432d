"""Shows the progress of ``restore train``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from restore_cli.cli.console import Console
from restore_cli.cli.progress import new_bar

if TYPE_CHECKING:
    from restore_cli.training.trainer import TrainEvent

    OnEvent = Callable[[TrainEvent], None]


def is_first_process() -> bool:
    """Say whether this process is the one that speaks, of those that train together."""
    return os.environ.get("RANK", "0") == "0"  # as torchrun and Accelerate number them


@contextmanager
def shown_training(console: Console) -> Iterator[OnEvent]:
    """Show the events of the training in the style the user asked for."""
    match console.progress_style if is_first_process() else "none":
        case "json":
            yield lambda event: _json_line(console, event)
        case "bar":
            with _bar(console) as on_event:
                yield on_event
        case "plain":
            yield lambda event: console.info(_line(event)) if event.kind != "saved" else None
        case "none":
            yield lambda event: None


def _json_line(console: Console, event: TrainEvent) -> None:
    console.json_line(
        {"event": event.kind, "step": event.step, "steps": event.steps, **event.numbers}
    )


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
def _bar(console: Console) -> Iterator[OnEvent]:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    count = TextColumn("{task.completed:.0f}/{task.total:.0f} steps")
    text = TextColumn("{task.description}")
    with new_bar(count, BarColumn(), TimeRemainingColumn(), text) as bar:
        task = bar.add_task("", total=0)  # an epoch's steps are known once the folder is read

        def on_event(event: TrainEvent) -> None:
            bar.update(task, completed=event.step, total=event.steps)
            if event.kind == "step":
                bar.update(task, description=_line(event).partition(": ")[2])
            elif event.kind == "validation":
                console.info(_line(event))

        yield on_event
