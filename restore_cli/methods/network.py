"""The engine, set up as a command's options say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Pooling, Restorer

# Tasks whose results may be brighter or darker than what was given.
BRIGHTENING_TASKS = ("enhance",)


class EngineOptions(Protocol):
    """What of a command's options makes the engine; see :class:`Restorer`."""

    @property
    def task(self) -> str | None: ...
    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> Literal["auto", "fp32", "fp16", "bf16"]: ...
    @property
    def tile(self) -> int | Literal["auto"]: ...
    @property
    def overlap(self) -> int | Literal["auto"]: ...
    @property
    def pooling(self) -> Pooling: ...
    @property
    def tta(self) -> bool: ...
    @property
    def strength(self) -> float: ...


def load_restorer(model: str, options: EngineOptions, *, check: bool | None = None) -> Restorer:
    """Return the engine; torch is loaded here.

    Args:
        model: a name or a weights file.
        options: how to restore.
        check: refuse results with a global colour shift; None is what suits the task.

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
        check=options.task not in BRIGHTENING_TASKS if check is None else check,
    )
