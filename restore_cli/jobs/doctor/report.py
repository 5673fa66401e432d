"""What the doctor found on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from restore_cli.jobs.json_report import JsonObject


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a doctor's report."""

    topic: str
    name: str
    state: Literal["ok", "missing", "bad"]
    detail: str = ""
    advice: str = ""  # what to do about it, if there is something to do
    exit_code: int = 0  # what a bad state makes of the exit code


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What works on this machine and what does not."""

    findings: tuple[Finding, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """Return 0, or the code of the first finding that stops the program from working."""
        return next((f.exit_code for f in self.findings if f.state == "bad" and f.exit_code), 0)

    def to_dict(self) -> JsonObject:
        """Return the report as ``--json`` prints it: topic, then name."""
        topics: dict[str, dict[str, JsonObject]] = {}
        for finding in self.findings:
            values = {"state": finding.state, "detail": finding.detail, "advice": finding.advice}
            kept: JsonObject = {name: value for name, value in values.items() if value}
            topics.setdefault(finding.topic, {})[finding.name] = kept
        return {"exit_code": self.exit_code, **topics}
