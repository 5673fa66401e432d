"""Which network a published state dict belongs to, told from its keys and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from models import create_model
from models.registry import PRESETS, config_values, make_config
from restore_cli.errors import WeightsError
from restore_cli.weights.keymaps.keymap import to_published
from restore_cli.weights.published import SYSTEMS, PublishedSystem, Shape, Shapes, keymap_for

_OTHER_NETWORK = "the file belongs to another network or another version of it"


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file turned out to be."""

    system: PublishedSystem
    config: dict[str, Any]  # every field; Any as in models.registry
    preset: str  # the published size that this is; "" for another


def recognise(shapes: Shapes) -> Recognised:
    """Return the system and its sizes, and make sure that every entry is there and fits.

    Args:
        shapes: of every entry, by published name without a wrapper's prefix.

    Raises:
        WeightsError: of no known system, or with an entry missing, unknown or of another shape; the
            message names the first such entry.
    """
    system = _system(shapes)
    ignored = system.keymap.ignored
    shapes = {
        key: shape
        for key, shape in shapes.items()
        if not any(re.fullmatch(pattern, key) for pattern in ignored)
    }
    try:
        values = system.config(shapes)
        config = config_values(make_config(system.architecture, values))
        problem = _misfit(shapes, published_shapes(system, config))
    except KeyError as error:
        what = f"entry {error.args[0]!r} of {system.title} is missing"
        raise WeightsError(what, hint=_OTHER_NETWORK) from error
    except (ValueError, IndexError) as error:
        what = f"looks like {system.title}, but of impossible sizes: {error}"
        raise WeightsError(what, hint=_OTHER_NETWORK) from error
    if problem:
        raise WeightsError(f"{problem}, in what looks like {system.title}", hint=_OTHER_NETWORK)
    preset = _preset(system.architecture, config, set(values))
    if preset:
        config = config_values(PRESETS[preset][1])
    return Recognised(system, config, preset)


def published_shapes(system: PublishedSystem, config: Mapping[str, Any]) -> dict[str, Shape]:
    """Return the shape of every entry that a checkpoint of this network has, doubled ones too."""
    with torch.device("meta"):
        state = create_model(system.architecture, config).state_dict()
    published = to_published(state, keymap_for(system, config))
    return {key: tuple(tensor.shape) for key, tensor in published.items()}


def system_of(architecture: str) -> PublishedSystem:
    """Return the published system that this architecture is.

    Raises:
        WeightsError: nothing was published for it.
    """
    for system in SYSTEMS:
        if system.architecture == architecture:
            return system
    raise WeightsError(f"there are no published checkpoints of {architecture}")


def _system(shapes: Shapes) -> PublishedSystem:
    """Return the system with most landmarks; at least half of them have to be there."""
    best = max(SYSTEMS, key=lambda system: _landmarks(system, shapes))
    if _landmarks(best, shapes) * 2 < len(best.landmarks):
        first = next(iter(shapes), "")
        titles = ", ".join(system.title for system in SYSTEMS)
        what = f"is of no network known here; its first entry is {first!r}"
        raise WeightsError(what, hint=f"what can be imported: {titles}")
    return best


def _landmarks(system: PublishedSystem, shapes: Shapes) -> int:
    return sum(any(key.startswith(mark) for key in shapes) for mark in system.landmarks)


def _misfit(has: Shapes, needs: Shapes) -> str:
    """Return the first way in which a file is not of a network, or nothing."""
    for key, shape in needs.items():
        if key not in has:
            return f"entry {key!r} is missing"
        if has[key] != shape:
            return f"entry {key!r} has shape {has[key]} where the network needs {shape}"
    for key in has:
        if key not in needs:
            return f"entry {key!r} is not part of the network"
    return ""


def _preset(architecture: str, config: Mapping[str, Any], read: set[str]) -> str:
    """Return the published size that agrees in all that can be read from shapes."""
    for name, (of, size) in PRESETS.items():
        values = config_values(size)
        if of == architecture and all(values[field] == config[field] for field in read):
            return name
    return ""
