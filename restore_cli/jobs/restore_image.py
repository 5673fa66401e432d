"""One image in, one restored image out: alpha, holes and HDR range around the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from restore_cli.imaging.image import Image, Pixels
from restore_cli.imaging.pixels import fill_transparent, finite_pixels

OnTile = Callable[[int, int], None]


class RestorePixels(Protocol):
    """What an engine offers: (H, W, 1|3) float32 in [0, 1] to the same shape."""

    def __call__(self, pixels: Pixels, progress: OnTile | None = None) -> Pixels:
        """Restore pixels, saying after each tile how many of how many are done."""


def restore_image(image: Image, restorer: RestorePixels, on_tile: OnTile | None = None) -> Image:
    """Return the restored image, with what had to be done to its values among its notes.

    Alpha is carried, never restored; colour under alpha 0 is neither read nor changed.

    Raises:
        ResultError: the restored pixels cannot be right.
        DeviceError: there is not enough memory.
    """
    prepared = _prepare(image)
    restored = restorer(prepared.pixels, on_tile)
    # An overshoot is no light: float files would keep what integers cut off.
    pixels = np.clip(restored, 0, 1) * np.float32(prepared.scale)
    if image.alpha is not None:
        pixels = np.where(image.alpha > 0, pixels, image.pixels)
    return image.with_pixels(pixels.astype(np.float32, copy=False)).with_notes(*prepared.notes)


@dataclass(frozen=True, slots=True)
class _Prepared:
    pixels: Pixels  # finite, in [0, 1]
    scale: float  # what 1 stands for
    notes: tuple[str, ...]


def _prepare(image: Image) -> _Prepared:
    notes = []
    pixels = image.pixels
    if image.alpha is not None:
        pixels = fill_transparent(pixels, image.alpha)
    pixels, holes = finite_pixels(pixels)
    if holes.any():
        notes.append(f"NaN or infinite pixels filled from beside them: {int(holes.sum())}")
    if float(pixels.min()) < 0:
        count = int((pixels < 0).any(axis=2).sum())
        notes.append(f"negative pixels set to 0: {count}")
        pixels = np.maximum(pixels, np.float32(0))
    scale = max(1.0, float(pixels.max()))
    if scale > 1.0:
        notes.append(f"values reach {scale:.4g}: restored as a share of that, range kept")
        pixels = pixels / np.float32(scale)
    return _Prepared(pixels, scale, tuple(notes))
