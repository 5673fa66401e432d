"""One image in, one restored image out: size, alpha, holes and HDR range around the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from restore_cli.imaging.image import Image, Pixels
from restore_cli.imaging.pixels import fill_transparent, finite_pixels
from restore_cli.imaging.resizing import enlarge, repeat

OnTile = Callable[[int, int], None]


class RestorePixels(Protocol):
    """What an engine offers: (H, W, 1|3) float32 in [0, 1] to the same shape."""

    def __call__(self, pixels: Pixels, progress: OnTile | None = None) -> Pixels:
        """Restore pixels, saying after each tile how many of how many are done."""


def restore_image(
    image: Image, restorer: RestorePixels, on_tile: OnTile | None = None, scale: int = 1
) -> Image:
    """Return the restored image, with what had to be done to its values among its notes.

    Alpha is carried, never restored; colour under alpha 0 is neither read nor changed.

    Args:
        image: to restore.
        restorer: the engine.
        on_tile: told after each tile how many of how many are done.
        scale: the image is enlarged as many times, alpha too, and restored at that size. The
            resolution in its metadata stays: an enlarged picture prints larger.

    Raises:
        ResultError: the restored pixels cannot be right.
        DeviceError: there is not enough memory.
    """
    prepared = _prepare(image)
    restored = restorer(enlarge(prepared.pixels, scale), on_tile)
    # An overshoot is no light: float files would keep what integers cut off.
    pixels = np.clip(restored, 0, 1) * np.float32(prepared.peak)
    alpha = image.alpha
    if alpha is not None:
        alpha = enlarge(alpha, scale)
        pixels = np.where(alpha > 0, pixels, repeat(image.pixels, scale))
    result = replace(image, pixels=pixels.astype(np.float32, copy=False), alpha=alpha)
    return result.with_notes(*prepared.notes)


@dataclass(frozen=True, slots=True)
class _Prepared:
    pixels: Pixels  # finite, in [0, 1]
    peak: float  # what 1 stands for
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
    peak = max(1.0, float(pixels.max()))
    if peak > 1.0:
        notes.append(f"values reach {peak:.4g}: restored as a share of that, range kept")
        pixels = pixels / np.float32(peak)
    return _Prepared(pixels, peak, tuple(notes))
