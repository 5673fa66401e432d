"""Where the pixels of an image come from: an array, or something larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from restore_cli.engine.channels import Pixels


class PixelSource(Protocol):
    """An image that can be read window by window."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 1 or 3 channels."""

    def read(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """Return (bottom - top, right - left, C) float32, finite, nominally in [0, 1]."""


def middle(source: PixelSource, side: int) -> Pixels:
    """Return the square in the middle of an image, or as much of it as there is."""
    height, width, _ = source.shape
    top, left = (max(0, length - side) // 2 for length in (height, width))
    return source.read(top, min(top + side, height), left, min(left + side, width))


class ArraySource:
    """An image in memory."""

    def __init__(self, pixels: Pixels) -> None:
        """Take an image as it is; it is neither copied nor written to.

        Raises:
            ValueError: another shape or type than (H, W, 1) or (H, W, 3) float32, no pixels at
                all, or values that are not finite.
        """
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
            raise ValueError(f"pixels are {pixels.shape}, not (H, W, 1) or (H, W, 3)")
        if pixels.dtype != np.float32:
            raise ValueError(f"pixels are {pixels.dtype}, not float32")
        if not np.isfinite(pixels).all():
            raise ValueError("pixels are not all finite")
        self._pixels = pixels

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self._pixels.shape
        return height, width, channels

    def read(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        return self._pixels[top:bottom, left:right]


class MirroredSource:
    """An image extended by its mirrored self at each side, the last row not repeated."""

    def __init__(self, source: PixelSource, border: int) -> None:
        self._source = source
        self._border = border

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self._source.shape
        return height + 2 * self._border, width + 2 * self._border, channels

    def read(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        height, width, _ = self._source.shape
        rows = _mirrored(top - self._border, bottom - self._border, height)
        columns = _mirrored(left - self._border, right - self._border, width)
        top, left = int(rows.min()), int(columns.min())
        window = self._source.read(top, int(rows.max()) + 1, left, int(columns.max()) + 1)
        return window[np.ix_(rows - top, columns - left)]


def without_border(parts: Iterator[Tensor], border: int, height: int) -> Iterator[Tensor]:
    """Yield rows (1, C, h, W) of an image of ``height``, given those with a border around them."""
    top = -border
    for part in parts:
        first, last = max(0, -top), max(0, height - top)
        inner = part[..., first:last, border : part.shape[-1] - border]
        if inner.shape[-2]:
            yield inner
        top += part.shape[-2]


def _mirrored(start: int, stop: int, size: int) -> NDArray[np.intp]:
    """Return where along an axis of ``size`` pixels those from ``start`` to ``stop`` are found."""
    there_and_back = max(1, 2 * (size - 1))
    places = np.arange(start, stop) % there_and_back
    return np.minimum(places, there_and_back - places)
