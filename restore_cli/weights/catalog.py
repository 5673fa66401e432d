"""The models that come with the program, by name.

Each file in ``bundled/`` carries its card in its header, and nothing about it is written anywhere
else; reading all of them takes well under a millisecond each and needs no torch.
"""

from __future__ import annotations

import difflib
import itertools
from pathlib import Path

from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard
from restore_cli.weights.header import SUFFIX, read_card

BUNDLED = Path(__file__).parent / "bundled"

# The model a task starts with; a task not listed takes its first model by name.
DEFAULTS = {
    "deblur": "mprnet-wide-deblur",
    "denoise": "mprnet-local-denoise",
}

_OURS = {"local", "slim", "wide"}  # in the names of variants of published networks


def all_cards() -> tuple[ModelCard, ...]:
    """Return the card of every bundled model: default models first, then by name.

    Raises:
        WeightsError: a bundled file is damaged.
    """
    cards = [read_card(path) for path in BUNDLED.glob(f"*{SUFFIX}")]
    order = list(DEFAULTS.values())
    return tuple(
        sorted(
            cards,
            key=lambda card: (
                order.index(card.name) if card.name in order else len(order),
                card.name,
            ),
        )
    )


def default_for(task: str) -> ModelCard:
    """Return the model that a task uses unless another is named.

    Raises:
        WeightsError: no bundled model does this task.
    """
    cards = [card for card in all_cards() if card.task == task]
    if not cards:
        raise WeightsError(
            f"no model for {task!r} comes with this program",
            hint="name a weights file with --model",
        )
    return cards[0]


def match(name: str, cards: tuple[ModelCard, ...]) -> ModelCard | None:
    """Return the first of ``cards`` that a name means: whole names, then shortened ones.

    Takes ``-`` and ``_`` alike. A name may be shortened to some of its words in their order
    (``mimo``, ``mimo-plus``), or be that of an architecture.
    """
    wanted = plain(name)
    whole = (card for card in cards if wanted == card.name)
    short = (card for card in cards if _is_short_for(wanted, card.name))
    alike = (card for card in cards if wanted == card.architecture)
    return next(itertools.chain(whole, short, alike), None)


def unknown(name: str, names: list[str]) -> WeightsError:
    """Return the error for a name that means none of ``names``, with the nearest of them."""
    near = difflib.get_close_matches(plain(name), names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif names:
        hint = f"there is {', '.join(names)}"
    else:
        hint = "none comes with this program; name a weights file"
    return WeightsError(f"no model is called {name!r}", hint=hint)


def plain(name: str) -> str:
    """Return a name as models are called: lower case, ``-`` between words."""
    return name.lower().replace("_", "-")


def _is_short_for(short: str, name: str) -> bool:
    """Return whether the words of ``short`` come in ``name`` in the same order.

    ``mprnet-denoise`` is the published network and not short for a variant of ours.
    """
    words, wanted = name.split("-"), short.split("-")
    rest = iter(words)
    if not all(word in rest for word in wanted):
        return False
    return words[0] not in wanted or _OURS.isdisjoint(words) or not _OURS.isdisjoint(wanted)
