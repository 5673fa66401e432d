"""Defines ``restore doctor``: shows what works on this machine and how to get what is missing."""

from __future__ import annotations

import typer

from restore_cli.cli.config_files import PROJECT_FILE, user_file
from restore_cli.cli.console import console
from restore_cli.cli.display_options import JsonDebug

DOCTOR_EXAMPLES = """
\b
Examples:
  restore doctor
  restore doctor --json > report.json  for a bug report
"""


def doctor(*, display: JsonDebug) -> None:
    """Show versions, devices, codecs and models, and what is missing.

    Exits with 4 if no model can be used, with 5 if nothing can compute, with 3 if images
    cannot be read or written.
    """
    from restore_cli.jobs.doctor.run import examine

    report = examine(settings_files=(PROJECT_FILE, str(user_file())))
    if display.json:
        console.json_object(report.to_dict())
    else:
        rows = [(f.topic, f.name, f.state, f.detail) for f in report.findings]
        console.table(("topic", "name", "state", "detail"), rows)
        for finding in report.findings:
            if finding.advice:
                console.info(f"{finding.name}: {finding.advice}")
    if report.exit_code:
        raise typer.Exit(report.exit_code)
