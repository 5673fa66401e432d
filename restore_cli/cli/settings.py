"""Defaults from files: ./restore.toml, then the user's own config.toml.

Keys are the long options without their dashes, with ``-`` or ``_``. At the top of the file they
hold for every command that has them, in a table named after a command for that one::

    device = "cuda"

    [deblur]
    tile = 512
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from restore_cli.errors import UsageError

PROJECT_FILE = "restore.toml"

# What a file may set: how to restore, but never what to overwrite.
RESTORING_KEYS = frozenset(
    {
        "model",
        "device",
        "precision",
        "tile",
        "overlap",
        "pooling",
        "max_memory",
        "tta",
        "strength",
        "format",
        "quality",
        "bit_depth",
        "strip_metadata",
        "progress",
        "quiet",
        "verbose",
    }
)

COMMAND_KEYS: Mapping[str, frozenset[str]] = {
    "deblur": RESTORING_KEYS,
    "denoise": RESTORING_KEYS,
    "derain": RESTORING_KEYS,
    "enhance": RESTORING_KEYS,
    "upscale": RESTORING_KEYS | {"scale"},
    "batch": RESTORING_KEYS,
    "train": frozenset({"device", "progress", "quiet", "verbose"}),
}

Value = str | int | float | bool


def user_file() -> Path:
    """Return where the user's own defaults live, after the XDG base directory specification."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "restore" / "config.toml"


def load(command: str) -> dict[str, Value]:
    """Return the defaults the files set for a command; nothing if it takes none.

    Raises:
        UsageError: a file is no TOML, or sets something there is no option for.
    """
    if command not in COMMAND_KEYS:
        return {}
    values: dict[str, Value] = {}
    for path in (user_file(), Path(PROJECT_FILE)):
        values |= _from_file(path, command)
    return values


def _from_file(path: Path, command: str) -> dict[str, Value]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"not a readable TOML file: {error}", path=path) from error
    common: dict[str, Value] = {}
    tables: dict[str, dict[str, Value]] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            if key not in COMMAND_KEYS:
                raise _unknown(path, f"[{key}]", COMMAND_KEYS)
            allowed = COMMAND_KEYS[key]
            tables[key] = dict(
                _entry(path, name, entry, allowed, f"{key}.") for name, entry in value.items()
            )
        else:
            allowed = frozenset().union(*COMMAND_KEYS.values())
            name, entry = _entry(path, key, value, allowed)
            common[name] = entry
    accepted = {name: value for name, value in common.items() if name in COMMAND_KEYS[command]}
    return accepted | tables.get(command, {})


def _entry(
    path: Path, key: str, value: object, allowed: Iterable[str], table: str = ""
) -> tuple[str, Value]:
    name = key.replace("-", "_")
    if name not in allowed:
        raise _unknown(path, table + key, allowed)
    if not isinstance(value, Value):
        raise UsageError(f"{table}{key} is not a single value", path=path)
    return name, value


def _unknown(path: Path, key: str, known: Iterable[str]) -> UsageError:
    names = sorted(name.replace("_", "-") for name in known)
    last = key.strip("[]").rpartition(".")[2].replace("_", "-")
    near = difflib.get_close_matches(last, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(names)}"
    return UsageError(f"unknown key {key}", path=path, hint=hint)
