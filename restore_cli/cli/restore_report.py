"""Prints the report of a restoring command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restore_cli.cli.console import console

if TYPE_CHECKING:
    from restore_cli.jobs.restore.report import FileResult, RestoreReport


def show(report: RestoreReport) -> None:
    """Print the report as JSON if asked for, else what the progress lines do not say."""
    if console.json:
        console.json_object(report.to_dict())
    elif report.dry_run:
        for result in report.files:
            console.text(_planned(result))
        console.text(
            f"model {report.model}, device {report.device},"
            f" precision {report.precision}, tile {report.tile}"
        )
    elif len(report.files) > 1:
        failed = len(report.failures)
        done = len(report.files) - failed
        console.info(f"{done} restored, {failed} failed, {report.seconds:.1f} s")


def _planned(result: FileResult) -> str:
    """Return the line about a file that would be restored."""
    if result.error:
        return f"{result.input}: would fail: {result.error.what}"
    facts = [f"{result.width}x{result.height}"] if result.width else []
    if result.frames is not None:
        facts.append(f"{result.frames} frames")
    if result.tiles:
        facts.append(f"tiles: {result.tiles}")
    if result.in_parts:
        facts.append("in parts")
    if result.predicted_s is not None:
        facts.append(f"about {result.predicted_s:.{0 if result.predicted_s >= 10 else 1}f} s")
    if result.predicted_peak_bytes is not None:
        facts.append(f"peak {result.predicted_peak_bytes / 2**20:.0f} MiB")
    listed = f" ({', '.join(facts)})" if facts else ""
    return f"{result.input} -> {result.output}{listed}"
