"""Enlarges pixels, before a network restores them at their new size."""

from __future__ import annotations

import cv2
import numpy as np

from restore_cli.imaging.image import Pixels


def enlarge(pixels: Pixels, scale: int) -> Pixels:
    """Enlarge each side ``scale`` times, bicubic; clip what overshoots.

    Args:
        pixels: (H, W, C) in [0, 1], colour or alpha.
        scale: 1 or more; with 1 they are returned as they are.
    """
    if scale == 1:
        return pixels
    return np.clip(_resized(pixels, scale, cv2.INTER_CUBIC), 0, 1)


def repeat(pixels: Pixels, scale: int) -> Pixels:
    """Repeat every pixel ``scale`` times in both directions."""
    return pixels if scale == 1 else _resized(pixels, scale, cv2.INTER_NEAREST)


def _resized(pixels: Pixels, scale: int, method: int) -> Pixels:
    height, width, channels = pixels.shape
    size = (width * scale, height * scale)
    resized = np.asarray(cv2.resize(pixels, size, interpolation=method), np.float32)
    return resized.reshape(size[1], size[0], channels)  # OpenCV drops a single channel
