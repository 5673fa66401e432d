"""Maps an image's values into [0, 1] for the network, and back into their own range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.image import Pixels
from restore_cli.imaging.pixels import fill_transparent, finite_pixels


def filled(pixels: Pixels, alpha: Pixels | None) -> tuple[Pixels, NDArray[np.bool_]]:
    """Fill what a network must not see: hidden colour, NaN and infinity.

    Args:
        pixels: (H, W, C).
        alpha: (H, W, 1), or None.

    Returns:
        The pixels, and an (H, W) mask of those that were NaN or infinite.
    """
    if alpha is not None:
        pixels = fill_transparent(pixels, alpha)
    return finite_pixels(pixels)


@dataclass(frozen=True, slots=True)
class ValueRange:
    """Counts the unusual values of an image or a part of it; the default has none."""

    holes: int = 0  # pixels that were NaN or infinite
    negatives: int = 0  # pixels below 0
    peak: float = 1.0  # the largest value, no less than 1

    @staticmethod
    def of(pixels: Pixels, holes: NDArray[np.bool_]) -> ValueRange:
        """Return the range of pixels that ``filled`` returned."""
        negatives = int((pixels < 0).any(axis=2).sum()) if float(pixels.min()) < 0 else 0
        return ValueRange(int(holes.sum()), negatives, max(1.0, float(pixels.max())))

    def joined(self, other: ValueRange) -> ValueRange:
        """Return the range of both parts together."""
        return ValueRange(
            self.holes + other.holes,
            self.negatives + other.negatives,
            max(self.peak, other.peak),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes for the user."""
        notes = []
        if self.holes:
            notes.append(f"NaN or infinite pixels filled from beside them: {self.holes}")
        if self.negatives:
            notes.append(f"negative pixels set to 0: {self.negatives}")
        if self.peak > 1:
            notes.append(f"values reach {self.peak:.4g}: restored as a share of that, range kept")
        return tuple(notes)

    def into_unit(self, pixels: Pixels) -> Pixels:
        """Return filled pixels in [0, 1], for the network."""
        if self.negatives:
            pixels = np.maximum(pixels, np.float32(0))
        return pixels / np.float32(self.peak) if self.peak > 1 else pixels

    def out_of_unit(self, restored: Pixels) -> Pixels:
        """Return restored pixels in the image's own range."""
        # Overshoots are clipped: they are no light, and float files would keep them.
        pixels: Pixels = np.clip(restored, 0, 1) * np.float32(self.peak)
        return pixels
