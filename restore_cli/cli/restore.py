"""Defines the restoring commands: deblur, denoise, derain, enhance and upscale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from restore_cli.cli.config_files import SETTINGS_HELP
from restore_cli.cli.console import console
from restore_cli.cli.display_options import DisplayOptions
from restore_cli.cli.option_groups import Command
from restore_cli.cli.progress import shown_progress
from restore_cli.cli.restore_report import show
from restore_cli.errors import UsageError
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.option import Changed, Option

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Images and videos; - is standard input (image, Y4M, raw).",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class RestoringCommand:
    """Says how one restoring command differs from the others."""

    task: str  # the command's name, too
    help: str
    examples: str
    scale: int = 1  # the default of --scale; 1: the command has no such option

    @property
    def epilog(self) -> str:
        """Return the end of the help text."""
        return f"\n\b\nExamples:\n{self.examples.strip(chr(10))}\n\n{SETTINGS_HELP}\n"


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
        scale=2,
    ),
)


def restoring_command(row: RestoringCommand) -> Command:
    """Return the function of one restoring command."""
    defaults = RestoreOptions(task=row.task, scale=row.scale)

    def command(
        inputs: Inputs = None,
        output: Annotated[
            str | None,
            Option("A file, a folder (DIR/) or - for standard output.", short="-o", metavar="OUT"),
        ] = None,
        *,
        restoring: RestoreOptions = defaults,
        display: Annotated[
            DisplayOptions,
            Changed(json="Print the report as JSON; to stderr if stdout takes the image."),
        ],
    ) -> None:
        run(require_inputs(inputs, row.task), output, restoring)

    if row.scale == 1:
        command.__annotations__["restoring"] = Annotated[RestoreOptions, Changed(scale=None)]
    return command


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


def run(inputs: list[str], output: str | None, options: RestoreOptions) -> None:
    """Restore the inputs and show the report."""
    from restore_cli.jobs.restore.run import restore_files  # torch loads here

    console.stdout_is_image = output == "-" or (output is None and inputs == ["-"])
    with shown_progress(console) as on_event:
        report = restore_files(inputs, output, options, on_event)
    show(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)
