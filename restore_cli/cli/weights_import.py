"""Defines ``restore weights import``: turns a published checkpoint into a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_cli.cli.console import console
from restore_cli.cli.display_options import JsonQuietDebug
from restore_cli.errors import UsageError, WeightsError
from restore_cli.jobs.json_report import JsonObject
from restore_cli.option import Option

if TYPE_CHECKING:
    from restore_cli.weights.card import ModelCard

IMPORT_EXAMPLES = """
\b
Examples:
  restore weights import MIMO-UNetPlus.pkl
  restore weights import model_lol.pth --name mirnet-lol --task enhance
  restore weights import checkpoints/deblur_model.index -o pss-nsc.safetensors
"""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Says what the model is called, what it is for, and where it is written."""

    output: Annotated[
        Path | None,
        Option(
            "The file to write; default: where --model finds it by name.",
            short="-o",
            metavar="OUT",
        ),
    ] = None
    task: Annotated[
        Literal["deblur", "denoise", "derain", "enhance", "upscale"] | None,
        Option(
            "What it is for: deblur, denoise, derain, enhance or upscale; default: by the name of"
            " the file.",
            metavar="TASK",
        ),
    ] = None
    name: Annotated[
        str | None,
        Option("Name of the model; default: made from the network and the file.", metavar="NAME"),
    ] = None
    overwrite: Annotated[bool, Option("Replace another model of that name.")] = False


def import_weights(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .pkl or .pth file, or the .index of a TensorFlow checkpoint."
        ),
    ],
    *,
    importing: ImportOptions,
    display: JsonQuietDebug,
) -> None:
    """Turn a published checkpoint into a model for --model.

    The network is recognised: MIMO-UNet(+), MPRNet, MIRNet or PSS-NSC, of any size. Every entry is
    checked, and no code in the file is run. Prints where the model is.
    """
    name = _checked_name(importing.name) if importing.name else ""
    from restore_cli.weights.files import save_model
    from restore_cli.weights.importing import UNKNOWN_TASK, import_checkpoint

    imported = import_checkpoint(file, task=importing.task or "", name=name)
    card = imported.card
    target = _target(card.name, importing, str(card.training["imported_sha256"]))
    console.note(f"licence of these weights: {card.licence}")
    if card.task == UNKNOWN_TASK:
        console.note("its task is unknown; name it with --task")
    card = save_model(target, imported.model, card)
    sizes = ", ".join(f"{key} {value}" for key, value in card.config.items())
    count = f"{imported.parameters:,} parameters"
    console.info(f"{file}: {imported.title}, {count} ({sizes}); task: {card.task}")
    console.info(f"use it with --model {target if importing.output else card.name}")
    if display.json:
        console.json_object(_to_dict(card, target, imported.parameters))
    else:
        console.text(str(target))


def _to_dict(card: ModelCard, target: Path, parameters: int) -> JsonObject:
    return {
        "name": card.name,
        "path": str(target),
        "architecture": card.architecture,
        "config": dict(card.config),
        "parameters": parameters,
        "task": card.task,
        "licence": card.licence,
        "sha256": card.sha256,
    }


def _checked_name(name: str) -> str:
    """Return the name as models are called: in small letters, digits and dashes.

    Raises:
        UsageError: it has other characters, or a bundled model has that name.
    """
    from restore_cli.weights.catalog import all_cards, plain

    plain_name = plain(name)
    if not plain_name.replace("-", "").isalnum() or not plain_name.isascii():
        raise UsageError(f"--name {name!r} is not made of letters, digits and dashes")
    if plain_name in {card.name for card in all_cards()}:
        raise UsageError(f"{plain_name} is a bundled model", hint="choose another --name")
    return plain_name


def _target(name: str, options: ImportOptions, source_sha256: str) -> Path:
    """Return the file to write.

    Args:
        name: of the model.
        options: where to write, and whether another model may be replaced.
        source_sha256: of the published checkpoint.

    Raises:
        UsageError: the file has the wrong suffix, or another model of that name is in its place.
    """
    from restore_cli.weights.header import SUFFIX, read_card
    from restore_cli.weights.store import cached_file, make_folder

    output = options.output
    if output is not None:
        if output.is_dir():
            return output / f"{name}{SUFFIX}"
        if output.suffix != SUFFIX:
            raise UsageError(f"-o {output} does not end in {SUFFIX}")
        return output
    target = cached_file(name)
    make_folder(target.parent)
    if target.exists() and not options.overwrite:
        try:
            is_same = read_card(target).training.get("imported_sha256") == source_sha256
        except WeightsError:
            is_same = False
        if not is_same:
            hint = "choose another --name, or say --overwrite"
            raise UsageError(f"there is another model called {name}", hint=hint)
    return target
