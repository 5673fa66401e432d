"""Renaming state-dict keys by an ordered list of rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Rule = tuple[str, str]


def rename(keys: Iterable[str], rules: Sequence[Rule]) -> dict[str, str]:
    """Return old key → new key, after every rule has been applied in order.

    Args:
        keys: published names.
        rules: regular expression and replacement, as for ``re.sub``.

    Raises:
        ValueError: a rule matches no key, or two keys get the same name.
    """
    names = {key: key for key in keys}
    for pattern, replacement in rules:
        renamed = {key: re.sub(pattern, replacement, name) for key, name in names.items()}
        if renamed == names:
            raise ValueError(f"no key matches {pattern!r}")
        names = renamed
    if len(set(names.values())) < len(names):
        raise ValueError("two keys were given the same name")
    return names
