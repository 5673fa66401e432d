"""Describes command-line options: a field of an option group carries an :class:`Option`.

A group is a frozen dataclass. Its fields look like this::

    tile: Annotated[int, Option("Tile side in pixels.", short="-t", setting=True)] = 512

From that alone follow the option ``--tile``, the variable ``RESTORE_TILE`` and the key ``tile`` of
restore.toml; ``restore_cli/cli/option_groups.py`` makes them. Nothing here needs Typer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

_MEMORY = r"(\d+(?:\.\d+)?)\s*([KMGT])?i?B?"
_SIZE = r"([1-9]\d{0,5})x([1-9]\d{0,5})"


@dataclass(frozen=True, slots=True)
class Option:
    """Says how a field shows on the command line."""

    help: str
    short: str = ""  # such as "-t"
    name: str = ""  # with underscores; "": the field's own name
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    parse: Callable[[str], object] | None = None  # text to value; ValueError: the text is wrong
    show_default: bool = True
    setting: bool = False  # RESTORE_<NAME> and the key <name> of restore.toml set it, too
    env: bool = False  # RESTORE_<NAME> sets it, too
    early: Callable[..., object] | None = None  # called before other options are read


class Changed:
    """Says what a command shows differently of the group it takes.

    Args:
        options: name of an option → its help text here, an :class:`Option` in place of the group's,
            or None, which leaves it out: the field keeps its default.
    """

    def __init__(self, **options: Option | str | None) -> None:
        self.options = options

    def option(self, name: str, own: Option) -> Option | None:
        """Return what the command shows in place of the group's own option."""
        change = self.options.get(name, own)
        return replace(own, help=change) if isinstance(change, str) else change


def picture_size(text: str) -> tuple[int, int]:
    """Return width and height of a text such as ``1280x720``.

    Raises:
        ValueError: the text is no such size.
    """
    match = re.fullmatch(_SIZE, text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"{text!r} is no size such as 1280x720")
    return int(match[1]), int(match[2])


def memory_size(text: str) -> int:
    """Return the bytes of a text such as ``800M``, ``1.5G`` or ``2GiB``.

    A letter counts in powers of 1024, as systems count memory. A number alone is in bytes.

    Raises:
        ValueError: the text is no such size, or the size is 0.
    """
    match = re.fullmatch(_MEMORY, text.strip(), re.IGNORECASE)
    power = "KMGT".index(match[2].upper()) + 1 if match and match[2] else 0
    size = int(float(match[1]) * 1024**power) if match else 0
    if not size:
        raise ValueError(f"{text!r} is no size such as 800M or 1.5G")
    return size
