"""Describes what is known of one result: one line of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from restore_cli.jobs.batch.storage.base import Signature
from restore_cli.jobs.json_report import JsonObject

Step = Literal["writing", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Record:
    """Describes the last step that was done for one result."""

    step: Step
    output: str  # its name in the folder of results
    input: str  # its name in the tree of inputs
    input_sha256: str
    settings: str  # checksum of all that changes the result
    input_signature: Signature | None = None
    output_sha256: str = ""
    output_size: int = -1
    output_signature: Signature | None = None
    error: str = ""  # of what failed
    seconds: float = 0.0

    def to_line(self, time: str) -> JsonObject:
        """Return the record as it is stored; ``time`` is when, for people."""
        values: JsonObject = {
            "step": self.step,
            "time": time,
            "output": self.output,
            "input": self.input,
            "input_sha256": self.input_sha256,
            "settings": self.settings,
            "input_signature": _listed(self.input_signature),
            "output_sha256": self.output_sha256 or None,
            "output_size": self.output_size if self.output_size >= 0 else None,
            "output_signature": _listed(self.output_signature),
            "error": self.error or None,
            "seconds": round(self.seconds, 3) or None,
        }
        return {name: value for name, value in values.items() if value is not None}

    @staticmethod
    def of_line(values: Any) -> Record | None:  # noqa: ANN401 - what a line of JSON holds
        """Parse the values of a line; return None for other lines, such as a run's settings.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is damaged.
        """
        if values["step"] not in get_args(Step):
            return None
        return Record(
            step=values["step"],
            output=_text(values["output"]),
            input=_text(values["input"]),
            input_sha256=_text(values["input_sha256"]),
            settings=_text(values["settings"]),
            input_signature=_signature(values.get("input_signature")),
            output_sha256=_text(values.get("output_sha256", "")),
            output_size=int(values.get("output_size", -1)),
            output_signature=_signature(values.get("output_signature")),
            error=_text(values.get("error", "")),
            seconds=float(values.get("seconds", 0.0)),
        )


def _listed(signature: Signature | None) -> list[int | str] | None:
    return None if signature is None else list(signature)


def _signature(values: object) -> Signature | None:
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(v, int | str) for v in values):
        raise TypeError(f"{values!r} is no signature")
    return tuple(values)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
