"""Holds the events and the report of a batch: plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from restore_cli.errors import ImageError, RestoreError
from restore_cli.jobs.json_report import JsonObject, error_to_dict

Status = Literal["done", "skipped", "failed", "planned"]


@dataclass(frozen=True, slots=True)
class Item:
    """One input and the place of its result."""

    source: str  # a path or URL
    relative: str  # what it is called in the tree of inputs, with "/"
    output: str  # its result, relative to the folder of results, with "/"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Says what became of one input."""

    item: Item
    status: Status
    output: str | None = None  # where the result is, or would be
    reason: str = ""  # why it was skipped
    width: int | None = None
    height: int | None = None
    in_parts: bool = False
    seconds: float = 0.0  # from reading to writing
    compute_s: float = 0.0  # of these, in the network
    notes: tuple[str, ...] = ()
    error: RestoreError | None = None

    def to_dict(self) -> JsonObject:
        """Return the outcome as one line of ``--json``; what is not known is left out."""
        values: JsonObject = {
            "input": self.item.source,
            "name": self.item.relative,
            "output": self.output,
            "status": self.status,
            "reason": self.reason or None,
            "width": self.width,
            "height": self.height,
            "in_parts": self.in_parts or None,
            "seconds": round(self.seconds, 3) if self.status == "done" else None,
            "compute_seconds": round(self.compute_s, 3) if self.status == "done" else None,
            "notes": list(self.notes) or None,
            "error": error_to_dict(self.error) if self.error else None,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(slots=True)
class BatchReport:
    """Says what a batch did, or with ``dry_run`` would do; it is filled while the batch runs."""

    task: str
    model: str
    output: str
    dry_run: bool = False
    total: int = 0  # inputs known of so far
    done: int = 0
    skipped: int = 0
    failed: int = 0
    planned: int = 0
    pixels: int = 0  # of what was restored
    seconds: float = 0.0
    compute_s: float = 0.0
    interrupted: bool = False
    stopped_by: RestoreError | None = None  # what no further file can be restored for
    failures: tuple[Outcome, ...] = ()  # the first ones

    @property
    def handled(self) -> int:
        """Return how many inputs are dealt with."""
        return self.done + self.skipped + self.failed + self.planned

    @property
    def exit_code(self) -> int:
        """Return 0, or 3 if at least one file failed; the caller handles interruptions."""
        if self.stopped_by is not None:
            return self.stopped_by.exit_code
        return ImageError.exit_code if self.failed else 0

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.compute_s += outcome.compute_s
        if outcome.status == "done":
            self.pixels += (outcome.width or 0) * (outcome.height or 0)
        if outcome.status == "failed" and len(self.failures) < MAX_FAILURES:
            self.failures = (*self.failures, outcome)

    def to_dict(self) -> JsonObject:
        """Return the last line of ``--json``."""
        values: JsonObject = {
            "task": self.task,
            "model": self.model,
            "output": self.output,
            "dry_run": self.dry_run,
            "total": self.total,
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "planned": self.planned if self.dry_run else None,
            "megapixels": round(self.pixels / 1e6, 3),
            "seconds": round(self.seconds, 3),
            "compute_seconds": round(self.compute_s, 3),
            "interrupted": self.interrupted,
            "stopped_by": error_to_dict(self.stopped_by) if self.stopped_by else None,
            "exit_code": self.exit_code,
        }
        return {name: value for name, value in values.items() if value is not None}


MAX_FAILURES = 20  # that are kept to be listed in the end; all are in the journal


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """One step of a batch, for the progress display.

    Kinds: ``found`` (more inputs were found), ``model`` (it is loaded), ``start`` and ``tiles`` (of
    the image at work), ``file`` (one is dealt with), ``note``.
    """

    kind: Literal["found", "model", "start", "tiles", "file", "note"]
    path: str = ""
    text: str = ""
    done: int = 0  # tiles restored
    total: int = 0  # tiles in all, or with "found" inputs in all
    outcome: Outcome | None = None

    def to_dict(self) -> JsonObject:
        """Return the event as one line of ``--progress json``."""
        values: JsonObject = {"event": self.kind}
        for name in ("path", "text", "done", "total"):
            if getattr(self, name):
                values[name] = getattr(self, name)
        if self.outcome is not None:
            values["result"] = self.outcome.to_dict()
        return values


OnBatchEvent = Callable[[BatchEvent], None]


def ignore_batch_events(_event: BatchEvent) -> None:
    """Show nothing."""
