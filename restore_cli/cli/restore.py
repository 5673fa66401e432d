"""The restoring commands: they differ in their task and in the options it adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console
from restore_cli.cli.progress import shown_progress
from restore_cli.errors import UsageError
from restore_cli.jobs.report import FileResult, RestoreReport

if TYPE_CHECKING:
    from restore_cli.jobs.restore import RestoreOptions

DEBLUR_EXAMPLES = f"""
\b
Examples:
  restore deblur photo.jpg                  writes photo_deblur.jpg beside it
  restore deblur *.png -o sharp/            writes sharp/..._deblur.png
  restore deblur scan.tif -o out.png --tta  changes the format too
  cat a.jpg | restore deblur - > b.jpg      as a filter

{options.SETTINGS_HELP}
"""


def deblur(
    inputs: options.Inputs = None,
    output: options.Output = None,
    model: options.Model = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    overlap: options.Overlap = "auto",
    tta: options.Tta = False,
    strength: options.Strength = 1.0,
    format: options.Format = None,
    quality: options.Quality = None,
    bit_depth: options.Depth = None,
    strip_metadata: options.StripMetadata = False,
    overwrite: options.Overwrite = False,
    in_place: options.InPlace = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    progress: options.Progress = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Remove motion blur and camera shake."""
    named = require_inputs(inputs, "deblur")
    from restore_cli.jobs.restore import RestoreOptions

    chosen = RestoreOptions(
        task="deblur",
        model=model,
        device=device,
        precision=precision,
        tile=options.number_or_auto(tile),
        overlap=options.number_or_auto(overlap),
        tta=tta,
        strength=strength,
        format=format,
        quality=quality,
        bit_depth=int(bit_depth) if bit_depth else None,
        strip_metadata=strip_metadata,
        overwrite=overwrite,
        in_place=in_place,
        dry_run=dry_run,
    )
    run(named, output, chosen)


def require_inputs(inputs: list[str] | None, command: str) -> list[str]:
    """Return the inputs.

    Raises:
        UsageError: there are none.
    """
    if not inputs:
        example = f"restore {command} photo.jpg"
        hint = f"for example: {example}; more in restore {command} --help"
        raise UsageError("no input: name images, or - for standard input", hint=hint)
    return inputs


def run(inputs: list[str], output: str | None, chosen: RestoreOptions) -> None:
    """Restore and show what became of it."""
    from restore_cli.jobs.restore import restore_files

    console.stdout_is_image = output == "-" or (output is None and inputs == ["-"])
    with shown_progress(console) as on_event:
        report = restore_files(inputs, output, chosen, on_event)
    show(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def show(report: RestoreReport) -> None:
    """Print the report: as JSON if asked for, else what the progress lines do not say."""
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
    if result.error:
        return f"{result.input}: would fail: {result.error.what}"
    return f"{result.input} -> {result.output}"
