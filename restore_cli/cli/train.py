"""Defines ``restore train``: trains by a recipe, on a folder of data, into a folder for the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from restore_cli.cli.console import console
from restore_cli.cli.display_options import DisplayOptions
from restore_cli.cli.train_progress import is_first_process, shown_training
from restore_cli.errors import UsageError
from restore_cli.option import Option
from restore_cli.training.options import RecipeOptions, TrainOptions

if TYPE_CHECKING:
    from restore_cli.training.config import TrainConfig
    from restore_cli.training.trainer import TrainReport

TRAIN_EXAMPLES = """
\b
Examples:
  restore train --model mimo --data GoPro/train      pairs: input/ and target/, blur/ and sharp/
  restore train --model mimo-unet-deblur --data photos/ --max-time 30m
                                                     sharp photos; the blur is made on the fly
  restore train --recipe my.toml --data photos/ --set optimizer.lr=2e-4
  restore train --model mimo --data photos/ --check-data
Stop it at any time; the same command goes on from there.
"""


def train(
    *,
    data: Annotated[Path, Option("Folder of pairs, or of sharp photos.", metavar="DIR")],
    choice: RecipeOptions,
    output: Annotated[
        Path | None,
        Option("Folder of the run; default: runs/<recipe>.", short="-o", metavar="DIR"),
    ] = None,
    session: TrainOptions,
    check_data: Annotated[bool, Option("List what would be trained on, and stop.")] = False,
    display: DisplayOptions,
) -> None:
    """Train or fine-tune a network; the same command resumes a run that was stopped."""
    if check_data:
        _list_data(data)
        return
    from restore_cli.training.trainer import train as run_training  # torch loads here

    config = _recipe(choice)
    folder = output or Path("runs") / config.name
    try:
        with shown_training(console) as on_event:
            report = run_training(config, data, folder, session, on_event)
    except KeyboardInterrupt:
        if is_first_process():
            console.info(f"saved in {folder}; the same command goes on from there")
        raise
    if is_first_process():
        _show(report)


def _recipe(options: RecipeOptions) -> TrainConfig:
    """Return the recipe that the options choose, with their changes."""
    from restore_cli.training.config import load_recipe, recipe_for

    if options.recipe is not None and not options.recipe.is_file():
        raise UsageError("no such recipe file", path=options.recipe)
    name = str(options.recipe) if options.recipe else recipe_for(options.model)
    return load_recipe(name, _overrides(options.changes, options.steps))


def _overrides(settings: Sequence[str], steps: int | None) -> dict[str, object]:
    """Return dotted keys → values; a value is read as TOML, or taken as text."""
    import tomllib

    values: dict[str, object] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            raise UsageError(f"--set {setting!r} is not KEY=VALUE")
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key] = text
    if steps is not None:
        values["schedule.steps"] = steps
    return values


def _list_data(data: Path) -> None:
    from restore_cli.training.sources import check_data

    listing = check_data(data)
    if console.json:
        console.json_object(
            {
                "pairs": len(listing.pairs),
                "photos": len(listing.photos),
                "strays": [str(path) for path in listing.strays],
            }
        )
        return
    console.text(
        f"{len(listing.pairs)} pairs" if listing.pairs else f"{len(listing.photos)} sharp photos"
    )
    for stray in listing.strays:
        console.text(f"without a partner: {stray}")


def _show(report: TrainReport) -> None:
    gain = f"held-back photos {report.psnr_in_db:.2f} -> {report.psnr_db:.2f} dB"
    if console.json:
        console.json_object(
            {
                "folder": str(report.folder),
                "step": report.step,
                "steps": report.steps,
                "is_finished": report.is_finished,
                "psnr_in_db": report.psnr_in_db,
                "psnr_db": report.psnr_db,
                "best_psnr_db": report.best_psnr_db,
                "elapsed_s": report.elapsed_s,
            }
        )
    elif report.is_finished:
        console.info(f"finished, {gain}; weights in {report.folder}")
    else:
        console.info(
            f"stopped at step {report.step} of {report.steps}, {gain};"
            f" the same command goes on from {report.folder}"
        )
