"""Options of the engine: where and how precisely a network computes, and in which tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Says how a network runs; see :class:`~restore_cli.engine.restorer.Restorer`."""

    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    tile: int | Literal["auto"] = "auto"  # 0: the whole image at once
    overlap: int | Literal["auto"] = "auto"
    pooling: Literal["auto", "local", "global"] = "auto"
    tta: bool = False
    strength: float = 1.0
