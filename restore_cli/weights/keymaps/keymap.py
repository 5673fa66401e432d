"""From a published state dict to ours and back: names, doubled entries, constants, axes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore_cli.weights.keymaps.rules import Rule, rename, rename_back


@dataclass(frozen=True, slots=True)
class Alias:
    """Entries that published checkpoints hold several times over.

    Beside each key that ``beside`` matches in full stands the entry ``alias``, which is the same
    tensor as ``source``. Both may use groups of ``beside``, as for ``re.sub``.
    """

    beside: str
    alias: str
    source: str


@dataclass(frozen=True, slots=True)
class Constant:
    """Entries that are no weights but part of the architecture: we do not store them.

    Beside each key that ``beside`` matches in full stands the entry ``key``, and ``value`` makes
    it from the tensor beside it.
    """

    beside: str
    key: str
    value: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Keymap:
    """How the published names of one architecture become ours.

    Attributes:
        rules: published text and ours, applied in order.
        aliases: expanded in order, so that a later one may double what an earlier one added.
        constants: entries we do without.
        ignored: published keys to leave out, such as an optimizer's; matched in full.
        axes: order in which the axes of four-dimensional tensors become ours.
    """

    rules: Sequence[Rule]
    aliases: Sequence[Alias] = ()
    constants: Sequence[Constant] = ()
    ignored: Sequence[str] = ()
    axes: tuple[int, int, int, int] = (0, 1, 2, 3)


def to_ours(published: Mapping[str, Tensor], keymap: Keymap) -> dict[str, Tensor]:
    """Return a published state dict under our names, each tensor once.

    Args:
        published: keys without a wrapper's prefix.
        keymap: the one of this architecture.

    Raises:
        ValueError: a doubled entry is missing or differs from its other copy, a constant is not
            what it should be, or a name fits no rule; the message names the first such entry.
    """
    left = {key: value for key, value in published.items() if not _is_ignored(key, keymap)}
    for constant in keymap.constants:
        for key, value in _constants(left, constant):
            _take(left, key, value)
    # The other way round than they are added: the last one doubled what was there before it.
    for alias in reversed(keymap.aliases):
        for key, source in _aliases(left, alias):
            _take(left, key, _there(left, source))
    names = rename(left, keymap.rules)
    return {names[key]: _permuted(value, keymap.axes) for key, value in left.items()}


def to_published(ours: Mapping[str, Tensor], keymap: Keymap) -> dict[str, Tensor]:
    """Return our state dict under the published names, with doubled entries and constants.

    Raises:
        ValueError: a rule fits no name, as when the network is not of the published structure.
    """
    names = rename_back(ours, keymap.rules)
    axes = [keymap.axes.index(axis) for axis in range(4)]
    published = {names[key]: _permuted(value, axes) for key, value in ours.items()}
    for alias in keymap.aliases:
        published |= {key: published[source] for key, source in _aliases(published, alias)}
    for constant in keymap.constants:
        published |= dict(_constants(published, constant))
    return published


def _aliases(published: Mapping[str, Tensor], alias: Alias) -> list[tuple[str, str]]:
    """Return each doubled entry and its source."""
    matches = [match for key in published if (match := re.fullmatch(alias.beside, key))]
    pairs = [(match.expand(alias.alias), match.expand(alias.source)) for match in matches]
    return [(key, source) for key, source in pairs if key != source]


def _constants(published: Mapping[str, Tensor], constant: Constant) -> list[tuple[str, Tensor]]:
    """Return each constant entry and its value."""
    matches = [match for key in published if (match := re.fullmatch(constant.beside, key))]
    return [(match.expand(constant.key), constant.value(published[match[0]])) for match in matches]


def _is_ignored(key: str, keymap: Keymap) -> bool:
    return any(re.fullmatch(pattern, key) for pattern in keymap.ignored)


def _permuted(value: Tensor, axes: Sequence[int]) -> Tensor:
    return value.permute(*axes).contiguous() if value.ndim == 4 else value


def _take(published: dict[str, Tensor], key: str, expected: Tensor) -> None:
    """Remove an entry that must be there and have this value."""
    value = _there(published, key)
    if not torch.equal(value, expected.to(value.dtype)):
        raise ValueError(f"entry {key!r} is not what the architecture makes it")
    del published[key]


def _there(published: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in published:
        raise ValueError(f"entry {key!r} is missing")
    return published[key]
