"""Defines Image: the pixels of one file, with the facts needed to write them back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Depth = Literal["uint8", "uint16", "float32"]
Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata beside the pixels; None where the file had none."""

    exif: bytes | None = None  # a TIFF structure ("II*" or "MM"), without any container's prefix
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None  # horizontal, vertical


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One picture, upright, with its source's depth, format and metadata.

    Attributes:
        pixels: (H, W, 1) grey or (H, W, 3) RGB, nominally in [0, 1]; float sources may
            exceed that range and may hold NaN or infinity (see ``pixels.finite_pixels``).
        alpha: (H, W, 1) in [0, 1], straight (not multiplied into the colour), or None.
        depth: what the source stores per sample.
        format: name of the source's row in ``formats.FORMATS``.
        notes: what the user should be told about reading it.
        quality: JPEG quality 1 to 100 estimated from the source's tables, else None.
        lossless: the source's compression lost nothing.

    Raises:
        ValueError: an array is not float32, or its shape is none of the above.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    depth: Depth = "uint8"
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    notes: tuple[str, ...] = ()
    quality: int | None = None
    lossless: bool = True

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise ValueError(f"pixels are {shape}, not (H, W, 1) or (H, W, 3)")
        if self.pixels.dtype != np.float32:
            raise ValueError(f"pixels are {self.pixels.dtype}, not float32")
        if self.alpha is None:
            return
        if self.alpha.shape != (*shape[:2], 1) or self.alpha.dtype != np.float32:
            raise ValueError(f"alpha is {self.alpha.shape} {self.alpha.dtype} for pixels {shape}")

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def is_grey(self) -> bool:
        return bool(self.pixels.shape[2] == 1)

    def with_pixels(self, pixels: Pixels) -> Image:
        """Return a copy with other pixels; alpha is resampled where the size changed.

        Args:
            pixels: (h, w, 1) or (h, w, 3) float32, any size.
        """
        height, width = pixels.shape[:2]
        alpha = self.alpha
        if alpha is not None and alpha.shape[:2] != (height, width):
            resized = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
            alpha = np.asarray(resized, np.float32).reshape(height, width, 1)
        return replace(self, pixels=pixels, alpha=alpha)

    def with_notes(self, *notes: str) -> Image:
        """Return a copy with further notes at the end."""
        return replace(self, notes=(*self.notes, *notes))
