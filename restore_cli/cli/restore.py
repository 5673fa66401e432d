"""The restoring commands: they differ in their task and in the options it adds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console
from restore_cli.cli.progress import shown_progress
from restore_cli.errors import UsageError
from restore_cli.jobs.restore.report import FileResult, RestoreReport

if TYPE_CHECKING:
    from restore_cli.jobs.restore.options import RestoreOptions


@dataclass(frozen=True, slots=True)
class RestoringCommand:
    """What sets one restoring command apart from the others."""

    task: str  # the command's name, too
    help: str
    examples: str
    extras: Mapping[str, object] = field(default_factory=dict)
    """Options that few commands have → their defaults here; see ``EXTRAS``."""

    @property
    def epilog(self) -> str:
        """Return what the help ends with."""
        return f"\n\b\nExamples:\n{self.examples.strip(chr(10))}\n\n{options.SETTINGS_HELP}\n"


# Parameters of the shared function that a command only has if its row names them.
EXTRAS = ("scale",)

COMMANDS = (
    RestoringCommand(
        task="deblur",
        help="Remove motion blur and camera shake.",
        examples="""
  restore deblur photo.jpg                  writes photo_deblur.jpg beside it
  restore deblur *.png -o sharp/            writes sharp/..._deblur.png
  restore deblur scan.tif -o out.png --tta  changes the format too
  cat a.jpg | restore deblur - > b.jpg      as a filter
""",
    ),
    RestoringCommand(
        task="denoise",
        help="Remove sensor noise.",
        examples="""
  restore denoise photo.jpg                 writes photo_denoise.jpg beside it
  restore denoise *.png -o clean/           writes clean/..._denoise.png
  restore denoise night.jpg --strength 0.7  leaves some of the grain
  cat a.jpg | restore denoise - > b.jpg     as a filter
""",
    ),
    RestoringCommand(
        task="derain",
        help="Remove rain streaks.",
        examples="""
  restore derain street.jpg                      writes street_derain.jpg
  restore derain street.jpg -m mprnet-derain     with a model that was imported
  restore derain *.jpg -o dry/ --pooling global  as the published program does
""",
    ),
    RestoringCommand(
        task="enhance",
        help="Brighten photographs taken in too little light.",
        examples="""
  restore enhance dark.jpg                    writes dark_enhance.jpg beside it
  restore enhance dark.jpg -m mirnet-enhance  with a model that was imported
  restore enhance dark.jpg --strength 0.5     half as much
""",
    ),
    RestoringCommand(
        task="upscale",
        help="Enlarge photographs two to four times.\n\n"
        "The picture is resized (bicubic) and restored at its new size. Its resolution in dots"
        " per inch stays, so that it prints larger.",
        examples="""
  restore upscale photo.jpg                      twice as large: photo_upscale.jpg
  restore upscale photo.jpg --scale 4 --dry-run  says how large it would be
  restore upscale icon.png -o large.png          transparency is enlarged too
""",
        extras={"scale": 2},
    ),
)


def restoring_command(row: RestoringCommand) -> Callable[..., None]:
    """Return the function that Typer makes a row's command from."""

    def command(
        inputs: options.Inputs = None,
        output: options.Output = None,
        model: options.Model = None,
        scale: options.Scale = 1,
        device: options.Device = "auto",
        precision: options.Precision = "auto",
        tile: options.Tile = "auto",
        overlap: options.Overlap = "auto",
        pooling: options.Pooling = "auto",
        max_memory: options.MaxMemory = None,
        tta: options.Tta = False,
        strength: options.Strength = 1.0,
        format: options.Format = None,
        size: options.FrameSize = None,
        pix_fmt: options.PixFmt = None,
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
        named = require_inputs(inputs, row.task)
        from restore_cli.engine.options import EngineOptions
        from restore_cli.imaging.options import EncodingOptions
        from restore_cli.jobs.restore.options import (
            RawVideoOptions,
            RestoreOptions,
            WritingOptions,
        )

        chosen = RestoreOptions(
            task=row.task,
            model=model,
            scale=scale,
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
            raw_video=RawVideoOptions(
                size=options.picture_size(size) if size else None, pix_fmt=pix_fmt
            ),
            writing=WritingOptions(overwrite=overwrite, in_place=in_place),
        )
        run(named, output, chosen)

    # Typer makes options of what the signature shows.
    command.__signature__ = _signature(command, row.extras)  # type: ignore[attr-defined]
    return command


def _signature(command: Callable[..., None], extras: Mapping[str, object]) -> inspect.Signature:
    """Return the signature with those extra options only that a row names."""
    signature = inspect.signature(command, eval_str=True)
    shown = []
    for name, parameter in signature.parameters.items():
        if name in extras:
            shown.append(parameter.replace(default=extras[name]))
        elif name not in EXTRAS:
            shown.append(parameter)
    return signature.replace(parameters=shown)


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
    from restore_cli.jobs.restore.run import restore_files

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
