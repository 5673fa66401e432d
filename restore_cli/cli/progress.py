"""Shows the progress of restoring: a bar on a terminal, a line now and then, or JSON lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from restore_cli.cli.console import Console, rich_console

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

    from restore_cli.jobs.restore.report import Event, FileResult, OnEvent

PLAIN_INTERVAL_S = 5.0
JSON_INTERVAL_S = 0.5


@contextmanager
def shown_progress(console: Console) -> Iterator[OnEvent]:
    """Show the events of the job in the style the user asked for."""
    match console.progress_style:
        case "json":
            yield JsonProgress(console)
        case "bar":
            with _new_bar() as bar:
                yield BarProgress(console, bar)
        case "plain":
            yield PlainProgress(console)
        case "none":
            yield SilentProgress(console)


class SilentProgress:
    """Shows notes and failures only."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, event: Event) -> None:
        if event.kind == "note":
            self.console.note(f"{event.path}: {event.text}")
        elif event.kind == "failed":
            self.console.error(event.text)
        elif event.kind == "model":
            self.console.detail(event.text)


class PlainProgress(SilentProgress):
    """Shows a line for each result, and now and then one on the way."""

    def __init__(self, console: Console, interval_s: float = PLAIN_INTERVAL_S) -> None:
        super().__init__(console)
        self.interval_s = interval_s
        self.last_s = time.monotonic()

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if event.kind == "start":
            self.last_s = time.monotonic()
        elif event.kind == "done" and event.result:
            self.console.info(position(event) + summary(event.result))
        elif event.kind == "tiles" and event.done < event.total:
            now_s = time.monotonic()
            if now_s - self.last_s >= self.interval_s:
                self.last_s = now_s
                percent = 100 * event.done // event.total
                tiles = f"{event.done} of {event.total} tiles"
                self.console.info(f"{position(event)}{event.path}: {percent} % ({tiles})")
        elif event.kind == "frames" and event.done != event.total:
            now_s = time.monotonic()
            if now_s - self.last_s >= self.interval_s:
                self.last_s = now_s
                self.console.info(f"{position(event)}{event.path}: {frames(event)}")


class BarProgress(PlainProgress):
    """Shows a bar for the file at work; results scroll past above it."""

    def __init__(self, console: Console, bar: Progress) -> None:
        super().__init__(console, interval_s=float("inf"))
        self.bar = bar
        self.task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        from rich.markup import escape

        if event.kind == "start":
            self.task = self.bar.add_task(position(event) + escape(event.path), total=None)
        elif event.kind == "tiles" and self.task is not None:
            self.bar.update(self.task, completed=event.done, total=event.total)
        elif event.kind == "frames" and self.task is not None:
            self.bar.update(
                self.task,
                completed=event.done,
                total=event.total or None,
                description=f"{position(event)}{escape(event.path)}: {frames(event)}",
            )
        elif event.kind in {"done", "failed"} and self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None
        super().__call__(event)


class JsonProgress:
    """Prints every event as one JSON line on stderr, those about tiles and frames now and then."""

    def __init__(self, console: Console, interval_s: float = JSON_INTERVAL_S) -> None:
        self.console = console
        self.interval_s = interval_s
        self.last_s = float("-inf")

    def __call__(self, event: Event) -> None:
        if event.kind in {"tiles", "frames"} and event.done != event.total:
            now_s = time.monotonic()
            if now_s - self.last_s < self.interval_s:
                return
            self.last_s = now_s
        self.console.json_line(event.to_dict())


def position(event: Event) -> str:
    """Return "[2/5] ", or nothing when there is one input only."""
    return f"[{event.index}/{event.count}] " if event.count > 1 else ""


def frames(event: Event) -> str:
    """Return how many frames of a video are done, their speed and the time left, where known."""
    words = [f"{event.done} of {event.total} frames" if event.total else f"{event.done} frames"]
    words.append(f"{event.frames_per_s:.3g} frames/s")
    if event.total and event.frames_per_s:
        words.append(f"{clock(max(0, event.total - event.done) / event.frames_per_s)} left")
    return ", ".join(words)


def summary(result: FileResult) -> str:
    """Return a line about a finished file: its result, size and seconds."""
    size = f"{result.width}x{result.height}, " if result.width else ""
    size += f"{result.frames} frames, " if result.frames is not None else ""
    source = "stdin" if result.input == "-" else result.input
    output = "stdout" if result.output == "-" else result.output
    return f"{source} -> {output} ({size}{result.seconds:.1f} s)"


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds, such as 0:01:30."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def new_bar(*columns: ProgressColumn) -> Progress:
    """Return a progress bar on stderr that vanishes when it is done."""
    from rich.progress import Progress

    return Progress(*columns, console=rich_console(sys.stderr), transient=True)


def _new_bar() -> Progress:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}")
    return new_bar(text, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
