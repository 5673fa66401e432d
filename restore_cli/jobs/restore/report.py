"""Holds the events and the report of the restoring commands: plain data, cheap to import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from restore_cli.errors import ImageError, RestoreError
from restore_cli.jobs.json_report import JsonObject, error_to_dict


@dataclass(frozen=True, slots=True)
class FileResult:
    """Says what became of one input."""

    input: str
    output: str | None
    status: Literal["done", "failed", "planned"]
    width: int | None = None
    height: int | None = None
    channels: int | None = None  # colour channels, alpha not counted
    depth: str | None = None
    in_parts: bool = False  # from disk to disk, never as a whole in memory
    frames: int | None = None  # of a video, as far as that is known
    tiles: str | None = None  # "12 of 512x512", for what is planned
    predicted_s: float | None = None
    predicted_peak_bytes: int | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: RestoreError | None = None

    def to_dict(self) -> JsonObject:
        """Return the result as ``--json`` prints it; what is not known is left out."""
        values: JsonObject = {
            "input": self.input,
            "output": self.output,
            "status": self.status,
            "width": self.width,
            "height": self.height,
            "channels": self.channels,
            "depth": self.depth,
            "in_parts": self.in_parts or None,
            "frames": self.frames,
            "tiles": self.tiles,
            "predicted_seconds": None if self.predicted_s is None else round(self.predicted_s, 2),
            "predicted_peak_bytes": self.predicted_peak_bytes,
            "seconds": round(self.seconds, 3) if self.status == "done" else None,
            "notes": list(self.notes) or None,
            "error": error_to_dict(self.error) if self.error else None,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """Says what a restoring command did, or with ``dry_run`` would do."""

    task: str
    model: str
    device: str
    precision: str
    tile: str
    files: tuple[FileResult, ...]
    seconds: float = 0.0
    dry_run: bool = False
    notes: tuple[str, ...] = ()  # about the job as a whole

    @property
    def failures(self) -> tuple[RestoreError, ...]:
        """Return the errors of the inputs that failed, in order."""
        return tuple(result.error for result in self.files if result.error)

    @property
    def exit_code(self) -> int:
        """Return 0, the code all failures share, or 3 when they differ."""
        codes = {error.exit_code for error in self.failures}
        if len(codes) > 1:
            return ImageError.exit_code
        return codes.pop() if codes else 0

    def to_dict(self) -> JsonObject:
        """Return the report as ``--json`` prints it."""
        return {
            "task": self.task,
            "model": self.model,
            "notes": list(self.notes),
            "device": self.device,
            "precision": self.precision,
            "tile": self.tile,
            "dry_run": self.dry_run,
            "done": sum(result.status == "done" for result in self.files),
            "failed": len(self.failures),
            "seconds": round(self.seconds, 3),
            "exit_code": self.exit_code,
            "files": [result.to_dict() for result in self.files],
        }


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a job, for the progress display."""

    kind: Literal["model", "start", "tiles", "frames", "note", "done", "failed"]
    path: str = ""  # the image, or for a note on the model its name
    index: int = 0  # this input's number, from 1
    count: int = 0  # inputs in all
    done: int = 0  # tiles or frames restored
    total: int = 0  # tiles or frames in all; 0: not known
    frames_per_s: float = 0.0
    text: str = ""
    result: FileResult | None = None

    def to_dict(self) -> JsonObject:
        """Return the event as one line of ``--progress json``."""
        values: JsonObject = {"event": self.kind}
        for name in ("path", "index", "count", "done", "total", "text"):
            if getattr(self, name):
                values[name] = getattr(self, name)
        if self.kind == "tiles":
            values["done"] = self.done
        if self.kind == "frames":
            values["frames_per_second"] = round(self.frames_per_s, 3)
        if self.result is not None:
            values["result"] = self.result.to_dict()
        return values


OnEvent = Callable[[Event], None]


def ignore_events(_event: Event) -> None:
    """Show nothing."""
