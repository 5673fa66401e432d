"""Estimates the quality that a JPEG was saved with, from its quantisation tables."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

# Luminance table for quality 50 in zigzag order: ITU-T T.81, table K.1.
_LUMINANCE = (
    "16 11 12 14 12 10 16 14 13 14 18 17 16 19 24 40 26 24 22 22 24 49 "
    "35 37 29 40 58 51 61 60 57 51 56 55 64 72 92 78 64 68 87 69 55 56 "
    "80 109 81 87 95 98 103 104 103 62 77 113 121 112 100 120 92 101 103 99"
)


def estimate_quality(table: NDArray[np.integer]) -> int:
    """Return the quality 1 to 100 whose luminance table is nearest to this one.

    Exact for files written by libjpeg and its descendants; other encoders have tables of
    their own, for which the answer is the libjpeg setting of like coarseness.

    Args:
        table: the 64 values of the luminance table in zigzag order.
    """
    return 1 + int(np.abs(_tables() - table).sum(axis=1).argmin())


@functools.cache
def _tables() -> NDArray[np.int64]:
    """Return the tables (100, 64) of all qualities."""
    base = np.array(_LUMINANCE.split(), np.int64)
    quality = np.arange(1, 101).reshape(-1, 1)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((base * percent + 50) // 100, 1, 255)
