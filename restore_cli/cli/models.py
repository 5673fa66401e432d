"""Defines ``restore models list`` and ``show``: models, their scores and their licences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from restore_cli.cli.console import console
from restore_cli.cli.display_options import JsonDebug
from restore_cli.cli.option_groups import with_groups
from restore_cli.errors import WeightsError
from restore_cli.jobs.json_report import JsonObject

if TYPE_CHECKING:
    from restore_cli.jobs.model_facts import ModelFacts
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

LIST_COLUMNS = (
    "model",
    "task",
    "network",
    "parameters",
    "PSNR in -> out",
    "measured on",
    "licence",
)
SCORE_COLUMNS = ("dataset", "pictures", "PSNR in -> out", "SSIM in -> out", "measured")

models_app = typer.Typer(no_args_is_help=True, help="List the models, or show one of them.")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """Holds the path of a weights file and what its header says."""

    path: Path
    card: ModelCard
    parameters: int

    @classmethod
    def read(cls, path: Path) -> ModelFile:
        """Read the header, which needs no torch.

        Raises:
            WeightsError: the file is damaged, or this program did not write it.
        """
        import math

        from restore_cli.weights.header import card_of, read_header

        header = read_header(path)
        count = sum(math.prod(tensor.shape) for tensor in header.tensors)
        return cls(path, card_of(header, path), count)

    def to_dict(self) -> JsonObject:
        """Return the model as ``--json`` prints it: its card, its size and the path of its file."""
        values = cast("JsonObject", asdict(self.card))
        return values | {"parameters": self.parameters, "file": str(self.path)}


@models_app.command("list", epilog=LIST_EXAMPLES)
@with_groups
def list_models(*, display: JsonDebug) -> None:
    """List the bundled and imported models: measured scores, licences."""
    models = _all_models()
    if display.json:
        console.json_object({"models": [model.to_dict() for model in models]})
    else:
        console.table(LIST_COLUMNS, [_row(model) for model in models])


@models_app.command("show", epilog=SHOW_EXAMPLES)
@with_groups
def show_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model's name or a weights file.")],
    *,
    display: JsonDebug,
) -> None:
    """Show a model's card: network, training, scores, licence, checksum."""
    from restore_cli.weights.store import locate

    model = ModelFile.read(locate(name))
    facts = _facts(model)
    if display.json:
        console.json_object(model.to_dict() | {"engine": asdict(facts) if facts else None})
        return
    rows = [*_card_rows(model), *(_engine_rows(facts, model.card.context) if facts else [])]
    console.table(("field", "value"), [row for row in rows if row[1]])
    if model.card.scores:
        console.text("")
        console.table(SCORE_COLUMNS, [_score_row(score) for score in model.card.scores])


def _all_models() -> list[ModelFile]:
    """Return the bundled models, then those in the user's cache; print a note on damaged ones."""
    from restore_cli.weights import catalog
    from restore_cli.weights.header import SUFFIX
    from restore_cli.weights.store import cached_files

    bundled = [catalog.BUNDLED / f"{card.name}{SUFFIX}" for card in catalog.all_cards()]
    models = [ModelFile.read(path) for path in bundled]
    for path in cached_files():
        try:
            models.append(ModelFile.read(path))
        except WeightsError as error:
            console.note(str(error))
    return models


def _facts(model: ModelFile) -> ModelFacts | None:
    """Return what the engine knows about a model; None if its network is unknown."""
    from restore_cli.jobs.model_facts import facts_of  # torch loads here

    try:
        return facts_of(model.card)
    except WeightsError as error:
        console.note(str(error))
        return None


def _row(model: ModelFile) -> tuple[str, ...]:
    card = model.card
    count = f"{model.parameters / 1e6:.1f} M"
    first = (card.name, card.task, card.architecture, count)
    if not card.scores:
        return (*first, "not measured", "", card.licence)
    best = card.scores[0]
    return (*first, _psnr(best), f"{best.dataset} ({best.pictures})", card.licence)


def _card_rows(model: ModelFile) -> list[tuple[str, str]]:
    card = model.card
    return [
        ("name", card.name),
        ("task", card.task),
        ("summary", card.summary),
        ("network", card.architecture),
        ("config", ", ".join(f"{key} {value}" for key, value in card.config.items())),
        ("parameters", f"{model.parameters:,}"),
        ("training", "; ".join(f"{key}: {value}" for key, value in card.training.items())),
        ("scores", "" if card.scores else "not measured"),
        ("licence", card.licence),
        ("version", card.version),
        ("sha256", card.sha256),
        ("file", str(model.path)),
    ]


def _engine_rows(facts: ModelFacts, measured_context: int) -> list[tuple[str, str]]:
    whole = "the whole image" if facts.halo is None else f"{facts.halo} pixels around each"
    if facts.scales > 1:
        whole += f" at each of {facts.scales} scales"
    if measured_context:
        whole += f"; tiles see {measured_context}, more made no difference"
    if facts.window is None:
        return [("sizes", f"any; padded to multiples of {facts.multiple_of}"), ("context", whole)]
    return [
        ("sizes", f"any; padded to multiples of {facts.multiple_of}"),
        ("context", f"{facts.local_halo} pixels around each; with --pooling global {whole}"),
        ("pooling", f"local: means over windows of {facts.window} pixels, as it was trained on"),
    ]


def _psnr(score: Score) -> str:
    return f"{score.psnr_in_db:.2f} -> {score.psnr_out_db:.2f} dB"


def _score_row(score: Score) -> tuple[str, ...]:
    ssim = f"{score.ssim_in:.4f} -> {score.ssim_out:.4f}"
    return (score.dataset, str(score.pictures), _psnr(score), ssim, score.measured)
