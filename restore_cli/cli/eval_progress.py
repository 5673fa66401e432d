"""Shows the progress of ``restore eval``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from restore_cli.cli.console import Console
from restore_cli.cli.progress import PLAIN_INTERVAL_S, new_bar

if TYPE_CHECKING:
    from restore_cli.jobs.eval.report import OnStep, Row, Step


@contextmanager
def shown_evaluation(console: Console) -> Iterator[OnStep]:
    """Show the steps of the evaluation in the style the user asked for."""
    match console.progress_style:
        case "json":
            yield lambda step: console.json_line(step.to_dict())
        case "bar":
            with _bar() as on_step:
                yield on_step
        case "plain":
            yield _plain_lines(console)
        case "none":
            yield lambda step: None


def _plain_lines(console: Console) -> OnStep:
    """Return what prints a line now and then."""
    last_s = time.monotonic()

    def on_step(step: Step) -> None:
        nonlocal last_s
        if step.row is not None and time.monotonic() - last_s >= PLAIN_INTERVAL_S:
            last_s = time.monotonic()
            console.info(f"{step.done} of {step.total}: {_line(step.row)}")

    return on_step


@contextmanager
def _bar() -> Iterator[OnStep]:
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    count = TextColumn("{task.completed:.0f}/{task.total:.0f}")
    text = TextColumn("{task.description}")
    with new_bar(count, BarColumn(), TimeRemainingColumn(), text) as bar:
        task = bar.add_task("", total=0)  # the job counts the pictures

        def on_step(step: Step) -> None:
            description = escape(_line(step.row)) if step.row else ""
            bar.update(task, completed=step.done, total=step.total, description=description)

        yield on_step


def _line(row: Row) -> str:
    change = f"{row.before.psnr_db:.2f} -> {row.after.psnr_db:.2f} dB"
    return f"{row.picture} by {row.method.rpartition('/')[2]}: {change}"
