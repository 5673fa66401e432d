"""``restore bench``: seconds, memory and share of what the machine can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console

if TYPE_CHECKING:
    from restore_cli.jobs.bench.report import BenchReport, Run, Timed
    from restore_cli.jobs.bench.run import BenchOptions

BENCH_EXAMPLES = """
\b
Examples:
  restore bench
  restore bench -m mimo-unet -m mprnet --size 256x256    published sizes, random weights
  restore bench --size 1280x720 --tile 0 --precision fp32 --json
  restore bench --against rival.onnx --sigma 15
  restore bench --plan --size 20000x20000                what that would take
"""

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


def bench(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A model's name, a weights file, or a published size such as mimo-unet, mprnet,"
            " mirnet, which gets random weights; may be repeated.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="WxH",
            help="Size of the picture, 512x512 if none is given; may be repeated.",
            callback=options.picture_sizes,
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", metavar="N", min=1, help="Rounds of which to take medians.")
    ] = 5,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            metavar="FILE.onnx",
            help="Time this network in ONNX Runtime too; may be repeated.",
            show_default=False,
        ),
    ] = None,
    sigma: Annotated[
        float,
        typer.Option(
            "--sigma", metavar="N", min=0, help="Noise, of 255, that --against networks are told."
        ),
    ] = 25.0,
    memory: Annotated[
        bool,
        typer.Option("--memory/--no-memory", help="Measure peaks too, each in its own process."),
    ] = True,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Only predict: tiles, seconds and peak memory for TIFFs of these sizes."
        ),
    ] = False,
    max_memory: options.MaxMemory = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    pooling: options.Pooling = "auto",
    json: options.JsonData = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Time networks against the published way to run them, and this machine.

    Variants: restore is this program's engine; plain is the published network's own forward,
    eager, in fp32, over the whole picture. GFLOP/s count the published network's arithmetic, so
    that fewer operations show as speed; the ceiling is that of a 3x3 convolution in the same
    precision, measured in the same rounds.
    """
    sizes = [options.picture_size(text) for text in size or ("512x512",)]

    from restore_cli.jobs.bench.run import BenchOptions  # torch loads here
    from restore_cli.jobs.bench.run import bench as run_bench

    chosen = BenchOptions(
        models=tuple(model or ()),
        sizes=sizes,
        repeats=repeats,
        device=device,
        precision=precision,
        tile=options.number_or_auto(tile),
        pooling=pooling,
        against=tuple(against or ()),
        sigma_8bit=sigma,
        memory=memory,
    )
    if plan:
        _show_plan(chosen, options.memory_bytes(max_memory) if max_memory else None)
        return
    report = run_bench(chosen, console.info)
    if json:
        console.json_object(report.to_dict())
    else:
        _show(report)


def _show_plan(chosen: BenchOptions, max_memory_bytes: int | None) -> None:
    from restore_cli.jobs.bench.plan import plan

    rows = list(plan(chosen, max_memory_bytes))
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


def _show(report: BenchReport) -> None:
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
