"""Chooses the model for a task."""

from __future__ import annotations

import contextlib

from restore_cli.errors import WeightsError
from restore_cli.weights import catalog
from restore_cli.weights.card import ModelCard
from restore_cli.weights.header import read_card
from restore_cli.weights.store import cached_files, locate

# What an imported model is for where nothing tells.
_UNTOLD = ("", "unknown")


def choose_model(task: str, model: str | None) -> tuple[str, ModelCard]:
    """Return the name or file of the model to use, and its card.

    Args:
        task: "deblur", "denoise", …
        model: a name or a weights file; None is the best that comes with the program. Of several
            models that a shortened name fits, the one for the task is meant.

    Raises:
        WeightsError: it is unknown or damaged, or nothing bundled does the task.
    """
    name = model or _default_name(task)
    path = locate(name, task)
    card = read_card(path)
    return card.name if path.parent == catalog.BUNDLED else name, card


def task_note(card: ModelCard, task: str) -> tuple[str, ...]:
    """Return a note for the user if the model was made for another task."""
    if card.task in (task, *_UNTOLD):
        return ()
    return (f"this model is for {card.task}, not {task}",)


def _default_name(task: str) -> str:
    if any(card.task == task for card in catalog.all_cards()):
        return catalog.default_for(task).name
    what = f"no model for {task} comes with this program"
    cached = _cached_names(task)
    if cached:
        raise WeightsError(what, hint=f"you imported one: --model {' or '.join(cached)}")
    hint = "get one with restore weights import FILE or restore train, then name it with --model"
    raise WeightsError(what, hint=hint)


def _cached_names(task: str) -> list[str]:
    names = []
    for path in cached_files():
        with contextlib.suppress(WeightsError):  # a damaged one is no help here
            if read_card(path).task == task:
                names.append(path.stem)
    return names
