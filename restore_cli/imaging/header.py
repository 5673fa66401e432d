"""Holds what the header of a picture says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Header:
    """Size, depth and more, as a header says; defaults where it says nothing."""

    width: int = 0
    height: int = 0
    bits: int = 8
    frames: int = 1
    turns: int = 0  # quarter turns anticlockwise still to be applied, then the mirror
    mirror: int | None = None  # 0: exchange top and bottom, 1: left and right
    icc: bytes | None = None
    xmp: bytes | None = None
    lossless: bool = False
