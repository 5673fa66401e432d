"""Reads defaults of options from ./restore.toml and the user's own config.toml.

Keys are the long options without their leading dashes, with ``-`` or ``_``. At the top of a file
they hold for every command that has them. In a table named after a command they hold for that
command only::

    device = "cuda"

    [deblur]
    tile = 512
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from restore_cli.errors import UsageError

PROJECT_FILE = "restore.toml"

SETTINGS_HELP = (
    "Options may also be set as RESTORE_<OPTION> in the environment, in ./restore.toml"
    " or in the user's restore/config.toml, in this order."
)

Keys = Mapping[str, frozenset[str]]  # command → what files may set for it, with "_"
Value = str | int | float | bool


def user_file() -> Path:
    """Return the path of the user's own file, by the XDG base directory specification."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "restore" / "config.toml"


def load(command: str, keys: Keys) -> dict[str, Value]:
    """Return the defaults that the files set for a command.

    Args:
        command: its name. For a command that is not among the keys, no file is read.
        keys: for each command, the options that files may set.

    Raises:
        UsageError: a file is no TOML, or sets something there is no option for.
    """
    if command not in keys:
        return {}
    values: dict[str, Value] = {}
    for path in (user_file(), Path(PROJECT_FILE)):
        values |= _from_file(path, command, keys)
    return values


def _from_file(path: Path, command: str, keys: Keys) -> dict[str, Value]:
    import tomllib  # seldom needed

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
            if key not in keys:
                raise _unknown(path, f"[{key}]", keys)
            tables[key] = dict(
                _entry(path, name, entry, keys[key], f"{key}.") for name, entry in value.items()
            )
        else:
            allowed = frozenset().union(*keys.values())
            name, entry = _entry(path, key, value, allowed)
            common[name] = entry
    accepted = {name: value for name, value in common.items() if name in keys[command]}
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
