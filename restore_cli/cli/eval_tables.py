"""Prints what ``restore eval`` measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from restore_cli.cli.console import console

if TYPE_CHECKING:
    from restore_cli.jobs.eval.report import EvalReport, Mean, Row, Score

COLUMNS = ("set", "picture", "method", "PSNR in", "PSNR out", "gain", "SSIM in", "SSIM out", "s/MP")


def show_report(report: EvalReport, *, means_only: bool) -> None:
    """Print a table of scores: of each picture, unless only means are wanted, and of the means."""
    sets = shortened([row.set for row in report.rows])
    methods = shortened([row.method for row in report.rows])
    pictures = () if means_only else report.rows
    rows: list[tuple[str, Row | Mean]] = [(row.picture, row) for row in pictures]
    rows += [(f"mean of {mean.pictures}", mean) for mean in report.means]
    console.table(
        COLUMNS,
        [(sets[row.set], name, methods[row.method], *_numbers(row)) for name, row in rows],
    )
    console.detail(f"{report.device}, {report.threads} threads, torch {report.torch}")
    for facts in report.methods:
        details = (facts.precision, facts.backend, facts.sha256)
        console.detail(", ".join([facts.method, *(word for word in details if word)]))


def shortened(paths: Iterable[str]) -> dict[str, str]:
    """Return each path → the fewest of its last parts that tell it from the other paths."""
    parts = {path: path.split("/") for path in paths}
    for count in range(1, max(map(len, parts.values()), default=0)):
        ends = {path: "/".join(words[-count:]) for path, words in parts.items()}
        if len(set(ends.values())) == len(ends):
            return ends
    return {path: path for path in parts}


def _numbers(row: Row | Mean) -> tuple[str, ...]:
    speed = row.s_per_megapixel
    return (
        f"{row.before.psnr_db:.2f}",
        f"{row.after.psnr_db:.2f}",
        "" if math.isnan(row.gain_db) else f"{row.gain_db:+.2f}",
        _ssim(row.before),
        _ssim(row.after),
        "" if speed is None else f"{speed:.3g}",
    )


def _ssim(score: Score) -> str:
    return "" if score.ssim is None else f"{score.ssim:.4f}"
