"""restore batch: a folder tree; it can be stopped anywhere and run again."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_cli.cli import options
from restore_cli.cli.batch_progress import shown_batch
from restore_cli.cli.console import console
from restore_cli.cli.restore import COMMANDS
from restore_cli.errors import UsageError

if TYPE_CHECKING:
    from restore_cli.jobs.batch.pipeline import Stop
    from restore_cli.jobs.batch.report import BatchOptions, BatchReport
    from restore_cli.jobs.restore.options import RestoreOptions

TaskName = Literal["deblur", "denoise", "derain", "enhance", "upscale"]
EngineName = Literal["local", "ray"]

_SHARD = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})")
_INTERRUPTED, _TERMINATED = 130, 143

BATCH_EXAMPLES = f"""
\b
Examples:
  restore batch photos/                        writes photos_deblur/, the tree kept
  restore batch photos/                        once more: does what is not done yet
  restore batch scans/ --task denoise -o clean/ --format png --exclude 'drafts/*'
  find . -name '*.jpg' -print0 | restore batch - -0 -o sharp/
  restore batch inbox/ -o sharp/ --watch       until Ctrl-C
  restore batch photos/ --shard $K/16          one of 16 jobs on a cluster
  restore batch s3://photos/in -o s3://photos/out              from bucket to bucket
  restore batch photos/ -o sharp/ --engine ray                 on a Ray cluster

{options.SETTINGS_HELP}
"""


def shard(text: str) -> str:
    """Accept ``K/N`` with K from 1 to N."""
    match = _SHARD.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise typer.BadParameter(f"{text!r} is no shard such as 1/4, counted from 1")
    return text


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Folders, images, patterns, URLs; - is a list of paths on standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="The folder for results; default: FOLDER_TASK beside the only folder named.",
        show_default=False,
    ),
]
Task = Annotated[
    TaskName, typer.Option("--task", metavar="TASK", help=f"One of {', '.join(TaskName.__args__)}.")
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Take only files whose name or path in the tree matches; may be repeated.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Leave out files and folders that match; may be repeated.",
        show_default=False,
    ),
]
Nul = Annotated[
    bool, typer.Option("--null", "-0", help="The list on standard input is separated by NULs.")
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="DIR",
        help="Name results by the paths of their inputs in this folder.",
        show_default=False,
    ),
]
Shard = Annotated[
    str,
    typer.Option(
        "--shard",
        metavar="K/N",
        help="Do the K-th of N parts; a file's part depends on its name only.",
        callback=shard,
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try again what failed before, too.")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")]
Watching = Annotated[
    bool, typer.Option("--watch", help="Go on with what arrives, until stopped by Ctrl-C.")
]
Poll = Annotated[
    float,
    typer.Option(
        "--poll",
        metavar="SECONDS",
        min=0.1,
        help="Between two looks with --watch; a file that changes from one to the next waits.",
    ),
]
Scale = Annotated[
    int | None,
    typer.Option(
        "--scale",
        metavar="2|3|4",
        min=2,
        max=4,
        help="With --task upscale, how many times larger each side becomes; default: 2.",
        show_default=False,
    ),
]
Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Restore in this process, or on a Ray cluster (extra cluster).",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="With --engine ray, which cluster; default: RAY_ADDRESS, or one on this machine.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="With --engine ray, how many; default: one for each GPU or, without, each CPU.",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that no batch has written.")
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one line of JSON for each file, and one in the end.",
        callback=options.keep_json,
        is_eager=True,
    ),
]


def batch(
    paths: Paths = None,
    output: Output = None,
    task: Task = "deblur",
    include: Include = None,
    exclude: Exclude = None,
    null: Nul = False,
    base: Base = None,
    shard: Shard = "1/1",
    retry_failed: RetryFailed = False,
    fail_fast: FailFast = False,
    watch: Watching = False,
    poll: Poll = 2.0,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    workers: Workers = None,
    model: options.Model = None,
    scale: Scale = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    overlap: options.Overlap = "auto",
    pooling: options.Pooling = "auto",
    max_memory: options.MaxMemory = None,
    tta: options.Tta = False,
    strength: options.Strength = 1.0,
    format: options.Format = None,
    quality: options.Quality = None,
    bit_depth: options.Depth = None,
    strip_metadata: options.StripMetadata = False,
    overwrite: Overwrite = False,
    dry_run: options.DryRun = False,
    json: Json = False,
    progress: options.Progress = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Restore folder trees of photographs.

    What is done is written down in DIR/.restore-journal.jsonl. The same command, run again, does
    what is not done yet: new and changed files, or all of them after a change of model or options.
    Several such commands at a time share the work.
    """
    named = _listed(paths, nul=null)
    if engine == "local" and (ray_address or workers):
        raise UsageError("--ray-address and --workers go with --engine ray")
    from restore_cli.engine.options import EngineOptions
    from restore_cli.imaging.options import EncodingOptions
    from restore_cli.jobs.batch.report import BatchOptions
    from restore_cli.jobs.restore.options import RestoreOptions, WritingOptions

    part, parts = shard.split("/")
    chosen = RestoreOptions(
        task=task,
        model=model,
        scale=_scale(task, scale),
        max_memory_bytes=options.memory_bytes(max_memory) if max_memory else None,
        dry_run=dry_run,
        engine=EngineOptions(
            device=device,
            precision=precision,
            tile=options.number_or_auto(tile),
            overlap=options.number_or_auto(overlap),
            pooling=pooling,
            tta=tta,
            strength=strength,
        ),
        encoding=EncodingOptions(
            format=format,
            quality=quality,
            bit_depth=int(bit_depth) if bit_depth else None,
            strip_metadata=strip_metadata,
        ),
        writing=WritingOptions(overwrite=overwrite),
    )
    which = BatchOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        base=base,
        shard=(int(part), int(parts)),
        retry_failed=retry_failed,
        fail_fast=fail_fast,
        watch=watch,
        poll_s=poll,
        engine=engine,
        ray_address=ray_address,
        workers=workers,
    )
    run(named, output, chosen, which)


def run(paths: list[str], output: str | None, chosen: RestoreOptions, which: BatchOptions) -> None:
    """Restore and show what became of it."""
    from restore_cli.jobs.batch.pipeline import Stop
    from restore_cli.jobs.batch.run import restore_batch

    stop = Stop()
    with shown_batch(console) as shown, _stopped_by_signals(stop) as received:
        report = restore_batch(paths, output, chosen, which, shown, stop)
    show(report)
    if report.stopped_by is not None:
        raise report.stopped_by
    if report.interrupted and received:
        raise typer.Exit(received[0])
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def show(report: BatchReport) -> None:
    """Print what became of everything: for people, or as the last line of JSON."""
    if console.json:
        console.json_object({"summary": report.to_dict()}, indent=None)
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
    rows += [("model", report.model), ("results", report.output)]
    if report.failed > 1:
        console.info("failed:")
        for outcome in report.failures:
            console.info(f"  {outcome.error}")
        if report.failed > len(report.failures):
            console.info(f"  and {report.failed - len(report.failures)} more")
    for name, value in rows:
        console.info(f"{name:<14}{value}")
    if report.interrupted or report.stopped_by:
        console.info("the same command goes on where this one stopped")


def _listed(paths: list[str] | None, *, nul: bool) -> list[str]:
    """Return the paths, with those on standard input in place of ``-``.

    Raises:
        UsageError: there are none, or the list is read twice or not at all.
    """
    if not paths:
        hint = "for example: restore batch photos/; more in restore batch --help"
        raise UsageError("no input: name a folder, or - for a list of paths", hint=hint)
    if paths.count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    if "-" not in paths:
        if nul:
            raise UsageError("-0 goes with a list on standard input", hint="name it as -")
        return paths
    from restore_cli.jobs.batch.inputs import names_in, read_list

    at = paths.index("-")
    return [*paths[:at], *names_in(read_list(), nul=nul), *paths[at + 1 :]]


def _scale(task: str, scale: int | None) -> int:
    """Return how many times larger results are; only tasks that enlarge have a choice.

    Raises:
        UsageError: this one does not.
    """
    row = next(row for row in COMMANDS if row.task == task)
    default = row.extras.get("scale")
    if not isinstance(default, int):
        if scale is not None:
            raise UsageError(f"--scale does not go with --task {task}", hint="it is for upscale")
        return 1
    return default if scale is None else scale


@contextmanager
def _stopped_by_signals(stop: Stop) -> Iterator[list[int]]:
    """Let the first Ctrl-C or SIGTERM end the batch in good order, the second at once.

    The list holds the exit code of the first one.
    """
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        code = _INTERRUPTED if number == signal.SIGINT else _TERMINATED
        if received:
            os._exit(code)  # what is half-done is removed by the next run
        received.append(code)
        stop.wanted = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
