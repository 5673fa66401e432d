"""Names the engine's options as keyword arguments, so that type checkers know them."""

from __future__ import annotations

from typing import Literal, TypedDict


class EngineKeywords(TypedDict, total=False):
    """The fields of :class:`~restore_cli.engine.options.EngineOptions`, all optional."""

    device: str
    precision: Literal["auto", "fp32", "fp16", "bf16"]
    tile: int | Literal["auto"]
    overlap: int | Literal["auto"]
    pooling: Literal["auto", "local", "global"]
    tta: bool
    strength: float
