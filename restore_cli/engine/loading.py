"""Loads a network and its card: by name, from a file, or one that is in memory."""

from __future__ import annotations

import copy
from pathlib import Path

from models import RestorationModel
from restore_cli.weights.card import ModelCard
from restore_cli.weights.catalog import default_for
from restore_cli.weights.files import load_model
from restore_cli.weights.store import locate


def load_network(
    model: str | Path | tuple[RestorationModel, ModelCard] | None,
) -> tuple[RestorationModel, ModelCard]:
    """Return a network and its card: a copy, from a file, or the default for deblurring."""
    if isinstance(model, tuple):
        return copy.deepcopy(model[0]), model[1]
    return load_model(locate(default_for("deblur").name if model is None else model))


def device_of(model: object) -> str:
    """Return the device of a network that is in memory, else ``auto``."""
    if isinstance(model, tuple):
        for parameter in model[0].parameters():
            return str(parameter.device)
    return "auto"
