"""``models list`` and ``models show``: what exists, how good it is, under which licence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console
from restore_cli.jobs.report import JsonObject

if TYPE_CHECKING:
    from restore_cli.weights.card import ModelCard, Score

LIST_EXAMPLES = """
\b
Examples:
  restore models list
  restore models list --json | jq '.models[].name'
"""

SHOW_EXAMPLES = """
\b
Examples:
  restore models show mimo-unet-deblur
  restore models show mine.safetensors --json
"""

models_app = typer.Typer(no_args_is_help=True, help="List the models, or show one of them.")


@models_app.command("list", epilog=LIST_EXAMPLES)
def list_models(json: options.JsonData = False, debug: options.Debug = False) -> None:
    """List the models, with their measured scores and licences."""
    from restore_cli.weights.catalog import all_cards
    from restore_cli.weights.header import read_card
    from restore_cli.weights.store import cached_files

    cards = [*all_cards(), *(read_card(path) for path in cached_files())]
    if json:
        console.json_object({"models": [_to_dict(card) for card in cards]})
        return
    columns = ("model", "task", "PSNR in -> out", "measured on", "licence")
    console.table(columns, [_row(card) for card in cards])


@models_app.command("show", epilog=SHOW_EXAMPLES)
def show_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model's name or a weights file.")],
    json: options.JsonData = False,
    debug: options.Debug = False,
) -> None:
    """Show a model's card: network, training, scores, licence, checksum."""
    from restore_cli.weights.header import read_card
    from restore_cli.weights.store import locate

    path = locate(name)
    card = read_card(path)
    if json:
        console.json_object(_to_dict(card) | {"file": str(path)})
        return
    config = ", ".join(f"{key} {value}" for key, value in card.config.items())
    training = "; ".join(f"{key}: {value}" for key, value in card.training.items())
    rows = [
        ("name", card.name),
        ("task", card.task),
        ("summary", card.summary),
        ("network", f"{card.architecture} ({config})"),
        ("training", training),
        *(("score", _score(score)) for score in card.scores),
        ("licence", card.licence),
        ("version", card.version),
        ("sha256", card.sha256),
        ("file", str(path)),
    ]
    console.table(("field", "value"), [row for row in rows if row[1]])


def _row(card: ModelCard) -> tuple[str, ...]:
    if not card.scores:
        return (card.name, card.task, "not measured", "", card.licence)
    best = card.scores[0]
    gain = f"{best.psnr_in_db:.2f} -> {best.psnr_out_db:.2f} dB"
    return (card.name, card.task, gain, f"{best.dataset} ({best.pictures})", card.licence)


def _score(score: Score) -> str:
    return (
        f"{score.dataset}, {score.pictures} pictures: PSNR {score.psnr_in_db:.2f} ->"
        f" {score.psnr_out_db:.2f} dB, SSIM {score.ssim_in:.4f} -> {score.ssim_out:.4f}"
        f" ({score.measured})"
    )


def _to_dict(card: ModelCard) -> JsonObject:
    from dataclasses import asdict

    return cast("JsonObject", asdict(card))
