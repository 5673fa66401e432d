"""The engine, set up as the options of the restoring commands say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore import RestoreOptions

# Tasks whose results may be brighter or darker than what was given.
BRIGHTENING_TASKS = ("enhance",)


def load_restorer(model: str, options: RestoreOptions) -> Restorer:
    """Return the engine; torch is loaded here.

    Args:
        model: a name or a weights file.
        options: how to restore.

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
        check=options.task not in BRIGHTENING_TASKS,
    )
