"""Shows the progress of a batch: files done and failed, speed, and the time left."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from restore_cli.cli.console import Console
from restore_cli.cli.progress import JSON_INTERVAL_S, PLAIN_INTERVAL_S, clock, new_bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from restore_cli.jobs.batch.report import BatchEvent, Outcome


@contextmanager
def shown_batch(console: Console) -> Iterator[BatchProgress]:
    """Show the events of the batch in the style the user asked for."""
    match console.progress_style:
        case "json":
            yield JsonBatchProgress(console)
        case "bar":
            with _new_bar() as bar:
                yield BarBatchProgress(console, bar)
        case "plain":
            yield PlainBatchProgress(console)
        case "none":
            yield BatchProgress(console)


class BatchProgress:
    """Shows notes and failures only, and with ``--json`` a line of data for each file."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.total = self.handled = self.done = self.failed = 0
        self._first_s: float | None = None  # when the first image came to the network
        self._now_s = 0.0

    def __call__(self, event: BatchEvent) -> None:
        """Count one event of the batch and show it."""
        self._now_s = time.monotonic()
        if event.kind == "found":
            self.total = event.total
        elif event.kind == "start" and self._first_s is None:
            self._first_s = self._now_s
        elif event.kind == "note":
            self.note(f"{event.path}: {event.text}" if event.path else event.text)
        elif event.kind == "model":
            self.console.detail(event.text)
        elif event.outcome is not None:
            self.handled += 1
            self.done += event.outcome.status == "done"
            self.failed += event.outcome.status == "failed"
            self.file(event.outcome)

    def note(self, text: str) -> None:
        """Show something that people may not expect."""
        self.console.note(text)

    def file(self, outcome: Outcome) -> None:
        """Show whether a file was restored, and its notes."""
        if outcome.error is not None:
            self.console.error(str(outcome.error))
            if self.console.debug and outcome.error.__cause__ is not None:
                self.console.lines("".join(traceback.format_exception(outcome.error.__cause__)))
        for note in outcome.notes:
            self.note(f"{outcome.item.source}: {note}")
        if self.console.json:
            self.console.json_object(outcome.to_dict(), indent=None)
        elif outcome.status == "planned":
            self.console.line(f"{outcome.item.source} -> {outcome.output}")
        elif outcome.status == "done":
            size = f"{outcome.width}x{outcome.height}, " if outcome.width else ""
            seconds = f"{size}{outcome.seconds:.1f} s"
            self.console.detail(f"{outcome.item.source} -> {outcome.output} ({seconds})")

    @property
    def rate(self) -> float:
        """Return the images restored in a second; 0: not known yet."""
        if self._first_s is None or not self.done:
            return 0.0
        return self.done / max(self._now_s - self._first_s, 1e-3)

    @property
    def state(self) -> str:
        """Return speed, failures and the time left, where they are known."""
        words = [f"{self.rate:.2f} images/s"] if self.rate else []
        words += [f"{self.failed} failed"] if self.failed else []
        if self.rate and self.handled < self.total:
            words.append(f"{clock((self.total - self.handled) / self.rate)} left")
        return ", ".join(words)


class PlainBatchProgress(BatchProgress):
    """Prints now and then how many files are done."""

    def __init__(self, console: Console, interval_s: float = PLAIN_INTERVAL_S) -> None:
        super().__init__(console)
        self._interval_s = interval_s
        self._last_s = time.monotonic()

    def __call__(self, event: BatchEvent) -> None:
        super().__call__(event)
        if self._now_s - self._last_s >= self._interval_s and self.handled < self.total:
            self._last_s = self._now_s
            state = f": {self.state}" if self.state else ""
            self.console.info(f"[{self.handled}/{self.total}]{state}")


class BarBatchProgress(BatchProgress):
    """Shows a bar for all files, and one for the tiles of a large file."""

    def __init__(self, console: Console, bar: Progress) -> None:
        super().__init__(console)
        self._bar = bar
        self._all: TaskID = bar.add_task("", total=None)
        self._image: TaskID | None = None

    def __call__(self, event: BatchEvent) -> None:
        from rich.markup import escape

        super().__call__(event)
        self._bar.update(
            self._all,
            completed=self.handled,
            total=self.total or None,
            description=f"{self.handled}/{self.total} {self.state}",
        )
        if event.kind == "start" and self._image is not None:
            self._bar.remove_task(self._image)
            self._image = None
        elif event.kind == "tiles" and event.total > 1:
            if self._image is None:
                name = event.path.encode("utf-8", "backslashreplace").decode()
                self._image = self._bar.add_task(escape(name), total=event.total)
            self._bar.update(self._image, completed=event.done, total=event.total)


class JsonBatchProgress(BatchProgress):
    """Prints every event as one JSON line on stderr, those about tiles now and then."""

    def __init__(self, console: Console, interval_s: float = JSON_INTERVAL_S) -> None:
        super().__init__(console)
        self._interval_s = interval_s
        self._last_s = float("-inf")

    def __call__(self, event: BatchEvent) -> None:
        super().__call__(event)
        if event.kind == "tiles" and event.done < event.total:
            if self._now_s - self._last_s < self._interval_s:
                return
            self._last_s = self._now_s
        self.console.json_line(event.to_dict())

    def note(self, text: str) -> None:
        """Say nothing: the event says it."""

    def file(self, outcome: Outcome) -> None:
        """Print the line of data that ``--json`` asks for; the event says the rest."""
        if self.console.json:
            self.console.json_object(outcome.to_dict(), indent=None)


def _new_bar() -> Progress:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn

    return new_bar(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
