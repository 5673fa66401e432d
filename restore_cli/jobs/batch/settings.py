"""Computes a checksum of all settings that change a result: same checksum, same bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from restore_cli import __version__
from restore_cli.jobs.json_report import JsonObject
from restore_cli.weights.store import file_sha256, locate

if TYPE_CHECKING:
    from restore_cli.jobs.restore.options import RestoreOptions

# These options decide where results go, not what they are. The model counts by its bytes.
_ELSEWHERE = ("model", "overwrite", "in_place", "dry_run")


def settings_of(options: RestoreOptions, model: str) -> JsonObject:
    """Return everything that changes pixels or bytes, by name.

    That includes the kind of device (precisions differ) and the memory limit (tiles differ). Which
    one of several GPUs is used does not matter.

    Args:
        options: how to restore.
        model: the name or file in use.

    Raises:
        WeightsError: it cannot be read.
    """
    values: JsonObject = {}
    for name, value in asdict(options).items():
        values |= value if isinstance(value, dict) else {name: value}
    for name in _ELSEWHERE:
        del values[name]
    values["device"] = options.engine.device.partition(":")[0]
    return values | {"version": __version__, "weights_sha256": file_sha256(locate(model))}


def settings_key(values: JsonObject) -> str:
    """Return a checksum of settings."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
