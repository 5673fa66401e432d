"""Prints the report of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restore_cli.cli.console import console

if TYPE_CHECKING:
    from restore_cli.jobs.batch.report import BatchReport


def show(report: BatchReport) -> None:
    """Print how many files were restored or failed: for people, or as the last line of JSON."""
    if console.json:
        console.json_object({"summary": report.to_dict()}, indent=None)
    if report.failed > 1:
        _show_failures(report)
    for name, value in _rows(report):
        console.info(f"{name:<14}{value}")
    if report.interrupted or report.stopped_by:
        console.info("the same command goes on where this one stopped")


def _show_failures(report: BatchReport) -> None:
    console.info("failed:")
    for outcome in report.failures:
        console.info(f"  {outcome.error}")
    if report.failed > len(report.failures):
        console.info(f"  and {report.failed - len(report.failures)} more")


def _rows(report: BatchReport) -> list[tuple[str, str]]:
    rows = [("would restore" if report.dry_run else "restored", f"{report.done + report.planned}")]
    if report.skipped:
        rows.append(("done before", f"{report.skipped}"))
    rows.append(("failed", f"{report.failed}"))
    left = report.total - report.handled
    if left > 0:
        rows.append(("left", f"{left}"))
    if not report.dry_run:
        rate = f", {report.done / max(report.seconds, 1e-3):.2f} images/s" if report.done else ""
        rows.append(("time", f"{report.seconds:.1f} s{rate}"))
    return [*rows, ("model", report.model), ("results", report.output)]
