"""Defines ``restore batch``: restores folder trees; it can be stopped anywhere and run again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_cli.cli.batch_progress import shown_batch
from restore_cli.cli.batch_report import show
from restore_cli.cli.config_files import SETTINGS_HELP
from restore_cli.cli.console import console
from restore_cli.cli.display_options import DisplayOptions
from restore_cli.cli.restore import COMMANDS
from restore_cli.errors import UsageError
from restore_cli.jobs.batch.options import BatchOptions
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.option import Changed, Option

if TYPE_CHECKING:
    from restore_cli.jobs.batch.pipeline import Stop

TaskName = Literal["deblur", "denoise", "derain", "enhance", "upscale"]

_INTERRUPTED, _TERMINATED = 130, 143

BATCH_EXAMPLES = f"""
\b
Examples:
  restore batch photos/                        writes photos_deblur/, the tree kept
  restore batch photos/                        once more: restores what is missing
  restore batch scans/ --task denoise -o clean/ --format png --exclude 'drafts/*'
  find . -name '*.jpg' -print0 | restore batch - -0 -o sharp/
  restore batch inbox/ -o sharp/ --watch       until Ctrl-C
  restore batch photos/ --shard $K/16          one of 16 jobs on a cluster
  restore batch s3://photos/in -o s3://photos/out              from bucket to bucket
  restore batch photos/ -o sharp/ --engine ray                 on a Ray cluster

{SETTINGS_HELP}
"""

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Folders, images, patterns, URLs; - is a list of paths on standard input.",
        show_default=False,
    ),
]
Restoring = Annotated[
    RestoreOptions,
    Changed(
        scale=Option(
            "With --task upscale, how many times larger each side becomes; default: 2.",
            metavar="2|3|4",
            min=2,
            max=4,
            show_default=False,
        ),
        size=None,
        pix_fmt=None,
        overwrite="Replace files that no batch has written.",
        in_place=None,
    ),
]


def batch(
    paths: Paths = None,
    output: Annotated[
        str | None,
        Option(
            "The folder for results; default: FOLDER_TASK beside the only folder named.",
            short="-o",
            metavar="DIR",
        ),
    ] = None,
    task: Annotated[
        TaskName, Option(f"One of {', '.join(TaskName.__args__)}.", metavar="TASK")
    ] = "deblur",
    *,
    batching: BatchOptions,
    null: Annotated[
        bool, Option("The list on standard input is separated by NULs.", short="-0")
    ] = False,
    restoring: Restoring,
    display: Annotated[
        DisplayOptions, Changed(json="Print one line of JSON for each file, and one in the end.")
    ],
) -> None:
    """Restore folder trees of photographs.

    Finished files are written down in DIR/.restore-journal.jsonl. Run again, the same command
    restores the rest: new and changed files, or all files after a change of model or options.
    Several such commands at a time share the work.
    """
    named = _listed(paths, nul=null)
    if batching.engine == "local" and (batching.ray_address or batching.workers):
        raise UsageError("--ray-address and --workers go with --engine ray")
    scale = _scale(task, restoring.scale)
    run(named, output, replace(restoring, task=task, scale=scale), batching)


def run(
    paths: list[str], output: str | None, restoring: RestoreOptions, batching: BatchOptions
) -> None:
    """Restore the files and show the report."""
    from restore_cli.jobs.batch.pipeline import Stop
    from restore_cli.jobs.batch.run import restore_batch  # torch loads here

    stop = Stop()
    with shown_batch(console) as shown, _stopped_by_signals(stop) as received:
        report = restore_batch(paths, output, restoring, batching, shown, stop)
    show(report)
    if report.stopped_by is not None:
        raise report.stopped_by
    if report.interrupted and received:
        raise typer.Exit(received[0])
    if report.exit_code:
        raise typer.Exit(report.exit_code)


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


def _scale(task: str, asked: int) -> int:
    """Return how many times larger results are.

    Args:
        task: only one that enlarges has a choice.
        asked: the scale asked for; 1: none.

    Raises:
        UsageError: a scale was asked for, and this task does not enlarge.
    """
    default = next(row for row in COMMANDS if row.task == task).scale
    if default == 1 and asked != 1:
        raise UsageError(f"--scale does not go with --task {task}", hint="it is for upscale")
    return default if asked == 1 else asked


@contextmanager
def _stopped_by_signals(stop: Stop) -> Iterator[list[int]]:
    """Let the first Ctrl-C or SIGTERM end the batch in good order, and the second at once.

    Yields:
        A list, which holds the exit code of the first one once it has come.
    """
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        code = _INTERRUPTED if number == signal.SIGINT else _TERMINATED
        if received:
            os._exit(code)  # the next run removes what is half done
        received.append(code)
        stop.wanted = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
