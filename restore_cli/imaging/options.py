"""Options of the encoders: what a result is stored as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """Says how results are stored; the defaults keep what the input has."""

    format: str | None = None
    quality: int | None = None  # 1 to 100
    bit_depth: int | None = None  # 8, 16 or 32 (float)
    strip_metadata: bool = False
