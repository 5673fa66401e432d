"""How to restore: what a user can choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """How to restore; the defaults are the command line's."""

    task: str = "deblur"
    model: str | None = None  # a name or a weights file; None: the task's best
    scale: int = 1  # how many times larger each side becomes before it is restored
    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    tile: int | Literal["auto"] = "auto"  # 0: the whole image at once
    overlap: int | Literal["auto"] = "auto"
    pooling: Literal["auto", "local", "global"] = "auto"
    max_memory_bytes: int | None = None  # for the whole process
    tta: bool = False
    strength: float = 1.0
    format: str | None = None
    size: tuple[int, int] | None = None  # width and height of raw video's frames
    pix_fmt: str | None = None  # how raw video's frames are stored
    quality: int | None = None
    bit_depth: int | None = None
    strip_metadata: bool = False
    overwrite: bool = False
    in_place: bool = False
    dry_run: bool = False
