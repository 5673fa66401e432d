"""Prints what ``restore bench`` measured or predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from restore_cli.cli.console import console

if TYPE_CHECKING:
    from restore_cli.jobs.bench.plan import Planned
    from restore_cli.jobs.bench.report import BenchReport, Run, Timed

COLUMNS = (
    "model",
    "size",
    "variant",
    "seconds (range)",
    "s/megapixel",
    "speed",
    "GFLOP/s",
    "of ceiling",
    "extra memory",
    "PSNR to plain",
)


def show_plan(planned: Iterable[Planned]) -> None:
    """Print what restoring would take, for each model and size."""
    rows = list(planned)
    if console.json:
        console.json_object({"plans": [row.to_dict() for row in rows]})
        return
    console.table(
        ("model", "size", "how", "tiles", "seconds", "peak memory"),
        [
            (
                row.model,
                f"{row.width}x{row.height}",
                "in parts" if row.in_parts else "in memory",
                row.tiles,
                f"{row.network_s:.3g}",
                f"{row.peak_bytes / 2**20:.0f} MiB",
            )
            for row in rows
        ],
    )


def show_report(report: BenchReport) -> None:
    """Print a table of what was measured, then remarks for people."""
    rows = [_row(run, timed) for run in report.runs for timed in run.variants]
    console.table(COLUMNS, rows)
    for line in dict.fromkeys(_remarks(report)):
        console.info(line)


def _row(run: Run, timed: Timed) -> tuple[str, ...]:
    first = (run.model, f"{run.width}x{run.height}", _called(timed))
    if not timed.seconds:
        return (*first, timed.error, "", "", "", "", "", "")
    speed, rate, share = run.speedup(timed), run.gflops(timed), run.share(timed)
    memory = timed.memory
    return (
        *first,
        f"{timed.median_s:.4g} ({min(timed.seconds):.4g} to {max(timed.seconds):.4g})",
        f"{timed.median_s / run.megapixels:.4g}",
        "" if speed is None else f"{speed:.2f}x",
        "" if rate is None else f"{rate:.1f}",
        "" if share is None else f"{100 * share:.0f} %",
        "" if memory is None else f"{memory.extra_bytes / 2**20:.0f} MiB",
        _likeness(timed),
    )


def _called(timed: Timed) -> str:
    details = ", ".join(word for word in (timed.precision, timed.backend) if word)
    return f"{timed.name} ({details})" if details else timed.name


def _likeness(timed: Timed) -> str:
    if timed.psnr_db is not None:
        return f"{timed.psnr_db:.1f} dB"
    return "equal" if timed.max_difference == 0 else ""


def _remarks(report: BenchReport) -> Iterator[str]:
    yield (
        f"{report.device}, {report.threads} threads, torch {report.torch},"
        f" median of {report.repeats} rounds"
    )
    for run in report.runs:
        title = f"{run.model} {run.width}x{run.height}"
        yield f"{title}: {run.gflop:.1f} GFLOP, {run.parameters:,} parameters"
        for ceiling in run.ceilings:
            yield (
                f"{title}: ceiling in {ceiling.precision}: 3x3 convolution"
                f" {ceiling.convolution_gflops:.0f} GFLOP/s, matrix product"
                f" {ceiling.product_gflops:.0f} GFLOP/s"
            )
        yield from run.notes
