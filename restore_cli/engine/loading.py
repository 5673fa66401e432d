"""Loads a model: its network, its card, and what the engine must know to cut tiles for it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models import ARCHITECTURES, RestorationModel
from models.pooling import set_pooling
from models.registry import make_config, size_rule
from restore_cli.weights.card import ModelCard
from restore_cli.weights.catalog import default_for
from restore_cli.weights.files import load_model
from restore_cli.weights.store import locate

Pooling = Literal["auto", "local", "global"]
Model = str | Path | tuple[RestorationModel, ModelCard] | None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network that belongs to the engine, with its card and what tiles need to know.

    Attributes:
        network: in evaluation mode, without gradients, its means over windows or not as asked.
        card: what the model is.
        config: of the network; ``Any`` is the architecture's own class.
        multiple_of: height and width that the network takes are multiples of this.
        scales: how many sizes of an image the network restores one after another.
        halo: pixels around it that an output pixel depends on; None is the whole image.
    """

    network: RestorationModel
    card: ModelCard
    config: Any
    multiple_of: int
    scales: int
    halo: int | None


def load_for_inference(model: Model, pooling: Pooling) -> LoadedModel:
    """Load a network by name or file, or copy one from memory.

    Args:
        model: a name, a weights file, or a network with its card; None is the default for
            deblurring.
        pooling: see :class:`~restore_cli.engine.restorer.Restorer`.

    Raises:
        WeightsError: the model cannot be found or read.
    """
    network, card = _network_and_card(model)
    architecture = ARCHITECTURES[card.architecture]
    config = make_config(card.architecture, card.config)
    window = None if pooling == "global" else architecture.patch
    halo = architecture.halo(config)
    if window is not None and architecture.local_halo is not None:
        halo = architecture.local_halo(config, window)
    network = network.eval().requires_grad_(False)
    set_pooling(network, window)
    return LoadedModel(
        network=network,
        card=card,
        config=config,
        multiple_of=size_rule(card.architecture, card.config),
        scales=architecture.scales(config),
        halo=halo,
    )


def device_of(model: Model) -> str:
    """Return the device of a network that was handed in, else ``auto``."""
    if isinstance(model, tuple):
        for parameter in model[0].parameters():
            return str(parameter.device)
    return "auto"


def _network_and_card(model: Model) -> tuple[RestorationModel, ModelCard]:
    if isinstance(model, tuple):
        return copy.deepcopy(model[0]), model[1]
    return load_model(locate(default_for("deblur").name if model is None else model))
