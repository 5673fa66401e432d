"""What the engine does with a model: sizes it takes, context it needs, where it takes means."""

from __future__ import annotations

from dataclasses import dataclass, replace

from models import ARCHITECTURES
from models.registry import make_config, size_rule
from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What follows from a model's network and sizes; lengths in pixels."""

    multiple_of: int  # images are padded to a multiple of this
    halo: int | None  # context that a pixel of the result depends on; None: the whole image
    scales: int = 1  # sizes of the image that are restored, with that context each
    window: int | None = None  # side of the windows of local means; None: there are no means
    local_halo: int | None = None  # the context with local means


def facts_of(card: ModelCard) -> ModelFacts:
    """Return the facts about a model.

    Raises:
        WeightsError: this version does not know its network, or not those sizes of it.
    """
    if card.architecture not in ARCHITECTURES:
        what = f"{card.name} has a network unknown here: {card.architecture}"
        raise WeightsError(what, hint=f"there is {', '.join(ARCHITECTURES)}")
    row = ARCHITECTURES[card.architecture]
    try:
        config = make_config(card.architecture, card.config)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{card.name} has sizes that do not fit: {error}") from error
    facts = ModelFacts(
        size_rule(card.architecture, card.config), row.halo(config), row.scales(config)
    )
    if row.patch is None or row.local_halo is None:
        return facts
    return replace(facts, window=row.patch, local_halo=row.local_halo(config, row.patch))
