"""The engine, set up as a command's options say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restore_cli.engine.options import EngineOptions

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer

# Tasks whose results may be brighter or darker than what was given.
_BRIGHTENING_TASKS = ("enhance",)


def keeps_brightness(task: str) -> bool:
    """Return whether the results of a task are as bright as what was given."""
    return task not in _BRIGHTENING_TASKS


def load_restorer(model: str, options: EngineOptions, *, check: bool) -> Restorer:
    """Return the engine; torch is loaded here.

    Args:
        model: a name or a weights file.
        options: how to restore.
        check: refuse results with a global colour shift.

    Raises:
        UsageError: the options leave nothing of a tile.
        WeightsError: the model cannot be found or read.
        DeviceError: device or precision cannot be had.
    """
    from restore_cli.engine.restorer import Restorer

    return Restorer(
        model,
        device=options.device,
        precision=options.precision,
        tile=options.tile,
        overlap=options.overlap,
        pooling=options.pooling,
        tta=options.tta,
        strength=options.strength,
        check=check,
    )
