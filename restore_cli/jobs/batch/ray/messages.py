"""Defines the messages between the driver of a cluster and its workers, as JSON.

JSON carries file names that are not valid text; the tables of a cluster do not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from restore_cli import errors
from restore_cli.errors import RestoreError
from restore_cli.jobs.batch.journal import now
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import Item, Outcome
from restore_cli.jobs.json_report import JsonObject, error_to_dict


@dataclass(frozen=True, slots=True)
class Task:
    """One file to restore.

    Attributes:
        number: its place in the driver's list.
        item: the input, by a path that holds on every machine.
        may_replace: what is in the place of its result is a batch's.
    """

    number: int
    item: Item
    may_replace: bool

    def to_bytes(self) -> bytes:
        """Return the task as it is sent."""
        item = self.item
        names = [item.source, item.relative, item.output]
        return json.dumps([self.number, names, self.may_replace]).encode()

    @staticmethod
    def of_bytes(data: bytes) -> Task:
        """Return the task that was sent."""
        number, names, may_replace = json.loads(data)
        return Task(number, Item(*names), may_replace)


@dataclass(frozen=True, slots=True)
class Answer:
    """Says what became of a task.

    Attributes:
        number: the task's.
        outcome: None where the worker cannot restore anything.
        records: what the journal is to remember.
        stopped_by: what no further file can be restored for.
    """

    number: int
    outcome: Outcome | None
    records: tuple[Record, ...] = ()
    stopped_by: RestoreError | None = None

    def to_bytes(self) -> bytes:
        """Return the answer as it is sent."""
        time = now()
        values: JsonObject = {
            "number": self.number,
            "records": [record.to_line(time) for record in self.records],
        }
        if self.outcome is not None:
            values["outcome"] = self.outcome.to_dict()
        if self.stopped_by is not None:
            values["stopped_by"] = error_to_dict(self.stopped_by)
        return json.dumps(values).encode()

    @staticmethod
    def number_in(data: bytes) -> int:
        """Return which task an answer is about."""
        return int(json.loads(data)["number"])

    @staticmethod
    def of_bytes(data: bytes, item: Item, output: str) -> Answer:
        """Return the answer that was sent.

        Args:
            data: as it was sent.
            item: the input, as the user knows it.
            output: the place of its result, as the user knows it.
        """
        values = json.loads(data)
        records = [Record.of_line(record) for record in values["records"]]
        outcome, stopped_by = values.get("outcome"), values.get("stopped_by")
        return Answer(
            values["number"],
            _outcome(outcome, item, output) if outcome else None,
            tuple(record for record in records if record is not None),
            _error(stopped_by) if stopped_by else None,
        )


def _outcome(values: Any, item: Item, output: str) -> Outcome:  # noqa: ANN401 - parsed JSON
    error = _error(values["error"]) if "error" in values else None
    known_as = {values["input"]: item.source, values.get("output"): output}
    if error is not None and error.path in known_as:
        error.path = known_as[error.path]
    outcome = Outcome(
        item,
        values["status"],
        output,
        width=values.get("width"),
        height=values.get("height"),
        in_parts=values.get("in_parts", False),
        seconds=values.get("seconds", 0.0),
        compute_s=values.get("compute_seconds", 0.0),
        notes=tuple(values.get("notes", ())),
        error=error,
    )
    # Put in its place by a worker that was killed before it could say so.
    return replace(outcome, status="done") if outcome.status == "skipped" else outcome


def _error(values: Any) -> RestoreError:  # noqa: ANN401 - parsed JSON
    kind = getattr(errors, values["kind"], RestoreError)
    error: RestoreError = kind(values["what"], path=values.get("file"), hint=values.get("hint", ""))
    error.exit_code = values["exit_code"]
    return error
