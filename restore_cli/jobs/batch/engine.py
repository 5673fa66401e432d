"""The engine of a batch, set up as the restoring commands set theirs up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restore_cli.jobs.restore import BRIGHTENING_TASKS, RestoreOptions

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer


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
