"""Renaming state-dict keys by an ordered list of rules, in either direction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Published text and ours for the same part of a key. ``{}`` stands for a number, the same on both
# sides and in the same order; a leading ``^`` binds the rule to the start of the key.
Rule = tuple[str, str]


def rename(keys: Iterable[str], rules: Sequence[Rule]) -> dict[str, str]:
    """Return published key → our key, after every rule has been applied in order.

    Raises:
        ValueError: a rule matches no key, or two keys get the same name.
    """
    return _applied(keys, rules)


def rename_back(keys: Iterable[str], rules: Sequence[Rule]) -> dict[str, str]:
    """Return our key → published key, the inverse of :func:`rename`.

    Raises:
        ValueError: a rule matches no key, or two keys get the same name.
    """
    return _applied(keys, [(ours, published) for published, ours in reversed(rules)])


def _applied(keys: Iterable[str], rules: Sequence[Rule]) -> dict[str, str]:
    names = {key: key for key in keys}
    for old, new in rules:
        pattern, replacement = _pattern(old), _replacement(new)
        renamed = {key: pattern.sub(replacement, name, 1) for key, name in names.items()}
        if renamed == names:
            raise ValueError(f"no key matches {old!r}")
        names = renamed
    if len(set(names.values())) < len(names):
        raise ValueError("two keys were given the same name")
    return names


def _pattern(template: str) -> re.Pattern[str]:
    anchor = "^" if template.startswith("^") else ""
    parts = template.removeprefix("^").split("{}")
    return re.compile(anchor + r"(\d+)".join(re.escape(part) for part in parts))


def _replacement(template: str) -> str:
    parts = iter(template.removeprefix("^").split("{}"))
    text = next(parts)
    for i, part in enumerate(parts, start=1):
        text += rf"\g<{i}>{part}"
    return text
