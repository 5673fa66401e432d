"""One image in, one restored image out: size, alpha, holes and HDR range around the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from restore_cli.imaging.image import Image, Pixels
from restore_cli.imaging.resizing import enlarge, repeat
from restore_cli.jobs.restore.value_range import ValueRange, filled

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
    pixels, holes = filled(image.pixels, image.alpha)
    values = ValueRange.of(pixels, holes)
    restored = restorer(enlarge(values.into_unit(pixels), scale), on_tile)
    pixels = values.out_of_unit(restored)
    alpha = image.alpha
    if alpha is not None:
        alpha = enlarge(alpha, scale)
        pixels = np.where(alpha > 0, pixels, repeat(image.pixels, scale))
    result = replace(image, pixels=pixels.astype(np.float32, copy=False), alpha=alpha)
    return result.with_notes(*values.notes)
