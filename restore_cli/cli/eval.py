"""``restore eval``: PSNR and SSIM over test pictures, of several methods side by side."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console, is_terminal, rich_console
from restore_cli.cli.progress import PLAIN_INTERVAL_S

if TYPE_CHECKING:
    from restore_cli.jobs.eval.report import EvalReport, Mean, OnStep, Row, Score, Step

EVAL_EXAMPLES = """
\b
Examples:
  restore eval --data gopro/                          pairs: blur/ and sharp/, noisy/ and clean/
  restore eval --data levin/ --align --csv levin.csv  shifted pairs; figures in a file
  restore eval --data cbsd68/ --noise 25 -m MODEL --onnx ffdnet.onnx --rival nlm
  restore eval --data cc15/ --onnx ffdnet.onnx --sigma 10 --sigma 15
  restore eval --data kodak/ --kernels kernels/ --noise 2 -m MODEL --rival wiener --means
  restore eval --data gopro/ -m a.safetensors -m b.safetensors --restored elsewhere/ --json
"""

COLUMNS = ("set", "picture", "method", "PSNR in", "PSNR out", "gain", "SSIM in", "SSIM out", "s/MP")

TaskName = Literal["deblur", "denoise", "derain", "enhance"]

# As in jobs/eval/methods.py, which would load torch.
RivalName = Literal["nlm", "wiener", "richardson-lucy"]


def known_rivals(names: list[str] | None) -> list[str] | None:
    """Accept the names of classical methods."""
    for name in names or ():
        if name not in get_args(RivalName):
            raise typer.BadParameter(f"{name!r} is none of {', '.join(get_args(RivalName))}")
    return names


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder of pairs, or of clean pictures with --noise, --kernels or --clean; may be"
            " repeated.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A model's name or a weights file; may be repeated. Default, where no other method"
            " is named either: the task's.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        TaskName | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="Whose default model to take: deblur, denoise, derain or enhance; default: told by"
            " --noise, --kernels or the folders' names.",
            show_default=False,
        ),
    ] = None,
    onnx: Annotated[
        list[Path] | None,
        typer.Option(
            "--onnx",
            metavar="FILE.onnx",
            help="Measure this network in ONNX Runtime too; may be repeated.",
            show_default=False,
        ),
    ] = None,
    restored: Annotated[
        list[Path] | None,
        typer.Option(
            "--restored",
            metavar="DIR",
            help="Measure pictures restored elsewhere, found by their names; may be repeated.",
            show_default=False,
        ),
    ] = None,
    rival: Annotated[
        list[str] | None,
        typer.Option(
            "--rival",
            metavar="NAME",
            help="Measure a classical method too: nlm (OpenCV's non-local means, in 8 bit), wiener"
            " or richardson-lucy (told the kernel of --kernels); may be repeated.",
            callback=known_rivals,
            show_default=False,
        ),
    ] = None,
    sigma: Annotated[
        list[float] | None,
        typer.Option(
            "--sigma",
            metavar="N",
            min=0,
            help="Noise, of 255, that --onnx networks and --rival are told; may be repeated;"
            " default: that of --noise.",
            show_default=False,
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise",
            metavar="SIGMA",
            min=0,
            help="Add Gaussian noise, of 255, to clean pictures, the i-th with seed i from 0.",
            show_default=False,
        ),
    ] = None,
    kernels: Annotated[
        list[Path] | None,
        typer.Option(
            "--kernels",
            metavar="PATH",
            help="Blur clean pictures with each .npy kernel, a file or a folder, before any noise;"
            " may be repeated.",
            show_default=False,
        ),
    ] = None,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean", help="Restore the clean pictures: what do they lose? Of pairs, those only."
        ),
    ] = False,
    grey: Annotated[
        bool, typer.Option("--grey", help="Make colour pictures grey before anything else.")
    ] = False,
    luma: Annotated[
        bool,
        typer.Option("--luma", help="Compare the luma of colour pictures, as papers on rain do."),
    ] = False,
    align: Annotated[
        bool,
        typer.Option(
            "--align",
            help="Compare at the best shift within 6 pixels, 15 cut from each side; input and"
            " output apart.",
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Take the first N pictures of each folder only, by name.",
            show_default=False,
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write a line for each picture and method to this file.",
            show_default=False,
        ),
    ] = None,
    means: Annotated[bool, typer.Option("--means", help="Show means only.")] = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    overlap: options.Overlap = "auto",
    pooling: options.Pooling = "auto",
    tta: options.Tta = False,
    strength: options.Strength = 1.0,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object: protocol, methods, means, pictures.",
            callback=options.keep_json,
            is_eager=True,
        ),
    ] = False,
    progress: options.Progress = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Measure PSNR and SSIM of models and rivals on test pictures.

    All methods restore the same pictures in the same run. Pixels are floats: noise goes into the
    networks as it is, results are clamped to [0, 1] and not rounded. PSNR is over all channels,
    peak 1; SSIM by Gaussian windows of 11 pixels; means over the pictures. s/MP is the median of
    seconds per megapixel, reading not counted. Pictures equal to their clean ones have no PSNR:
    inf, in JSON null.
    """
    from restore_cli.engine.options import EngineOptions
    from restore_cli.jobs.eval.methods import MethodOptions  # torch loads here
    from restore_cli.jobs.eval.run import EvalOptions
    from restore_cli.jobs.eval.run import evaluate as run_evaluation

    methods = MethodOptions(
        models=tuple(model or ()),
        onnx=tuple(onnx or ()),
        restored=tuple(restored or ()),
        rivals=cast("list[RivalName]", rival or []),
        task=task,
        sigmas_8bit=tuple(sigma or ([noise] if noise else [])),
        engine=EngineOptions(
            device=device,
            precision=precision,
            tile=options.number_or_auto(tile),
            overlap=options.number_or_auto(overlap),
            pooling=pooling,
            tta=tta,
            strength=strength,
        ),
    )
    chosen = EvalOptions(
        data=tuple(data),
        methods=methods,
        noise_sigma_8bit=noise or 0.0,
        kernels=tuple(kernels or ()),
        clean=clean,
        grey=grey,
        luma=luma,
        align=align,
        limit=limit,
        csv=csv,
    )
    with _shown() as on_step:
        report = run_evaluation(chosen, on_step, console.note)
    if json:
        console.json_object(report.to_dict())
    else:
        _show(report, means_only=means)


def _show(report: EvalReport, *, means_only: bool) -> None:
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
    """Return each path → as few of its last parts as tell it from the others."""
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


@contextmanager
def _shown() -> Iterator[OnStep]:
    """Give the job something to report to, in the form the command line asked for."""
    kind = console.progress
    if kind == "auto":
        kind = "bar" if is_terminal(sys.stderr) else "plain"
    if kind == "json":
        yield lambda step: console.json_line(step.to_dict())
    elif kind == "none" or console.quiet:
        yield lambda step: None
    elif kind == "bar":
        with _bar() as on_step:
            yield on_step
    else:
        yield _plain_lines()


def _plain_lines() -> OnStep:
    """Return what prints a line now and then."""
    last_s = time.monotonic()

    def on_step(step: Step) -> None:
        nonlocal last_s
        if step.row is not None and time.monotonic() - last_s >= PLAIN_INTERVAL_S:
            last_s = time.monotonic()
            console.info(f"{step.done} of {step.total}: {_line(step.row)}")

    return on_step


@contextmanager
def _bar() -> Iterator[OnStep]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=rich_console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=0)  # pictures are counted by the job

        def on_step(step: Step) -> None:
            text = escape(_line(step.row)) if step.row else ""
            bar.update(task, completed=step.done, total=step.total, description=text)

        yield on_step


def _line(row: Row) -> str:
    change = f"{row.before.psnr_db:.2f} -> {row.after.psnr_db:.2f} dB"
    return f"{row.picture} by {row.method.rpartition('/')[2]}: {change}"
