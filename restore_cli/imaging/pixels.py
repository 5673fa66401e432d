"""Converts stored samples to float32 in [0, 1] and back: rounding, alpha, missing values."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.image import Depth, Pixels

# How far, in pixels, colour is carried into holes. More than networks look, and it lets parts of an
# image with so much around them be filled as the whole would be.
FILL_REACH = 128

MAXIMA: dict[Depth, int] = {"uint8": 255, "uint16": 65535, "float32": 1}


def to_float(samples: NDArray[Any], maximum: int) -> Pixels:
    """Return integer samples divided by ``maximum``, as (H, W, C) float32.

    Args:
        samples: (H, W) or (H, W, C) unsigned integers or bool, at most ``maximum``.
        maximum: the value that means 1: 255, 65535, or 4095 for 12-bit files.
    """
    if samples.ndim == 2:
        samples = samples[:, :, None]
    if maximum > 65535:  # float32 has 24 bits; divide in double to stay within half a step
        return (samples.astype(np.float64) / maximum).astype(np.float32)
    return samples.astype(np.float32) / np.float32(maximum)


def from_float(pixels: Pixels, depth: Depth, maximum: int | None = None) -> NDArray[Any]:
    """Return pixels in a file's depth: rounded to the nearest step and clamped.

    Args:
        pixels: any shape. For integer depths NaN becomes 0; float32 passes unchanged.
        depth: the wanted type.
        maximum: the integer that means 1; default: the depth's largest.
    """
    if depth == "float32":
        return pixels
    top = MAXIMA[depth] if maximum is None else maximum
    scaled = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(scaled, 0.0, 1.0, out=scaled)
    scaled *= np.float32(top)
    np.rint(scaled, out=scaled)
    return scaled.astype(depth)


def split_alpha(samples: Pixels) -> tuple[Pixels, Pixels | None]:
    """Return colour and alpha of (H, W, 1 to 4); the even channel counts carry alpha last."""
    if samples.shape[2] in (2, 4):
        return np.ascontiguousarray(samples[:, :, :-1]), np.ascontiguousarray(samples[:, :, -1:])
    return samples, None


def join_alpha(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Return (H, W, C + 1) with alpha last, or ``pixels`` where there is none."""
    return pixels if alpha is None else np.concatenate([pixels, alpha], axis=2)


def fill_transparent(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Fill fully transparent places with the nearest visible colour.

    What lies under alpha 0 is arbitrary (often black) and a network would smear it into
    the visible edge. Visible pixels stay untouched; those further than ``FILL_REACH`` from any
    become 0.

    Args:
        pixels: (H, W, C).
        alpha: (H, W, 1) in [0, 1].
    """
    return _fill_from_nearest(pixels, alpha[:, :, 0] > 0)


def finite_pixels(pixels: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Replace NaN and infinity by neighbours; return the pixels, and where they were replaced.

    Args:
        pixels: (H, W, C).

    Returns:
        The pixels, each hole filled with the nearest finite pixel (0 if there is none within
        ``FILL_REACH``), and an (H, W) mask that is True in the holes. Without holes, the same
        array.
    """
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(pixels).all(axis=2))
    return _fill_from_nearest(pixels, valid), ~valid


def _fill_from_nearest(pixels: Pixels, valid: NDArray[np.bool_]) -> Pixels:
    if valid.all():
        return pixels
    filled = pixels.copy()
    filled[~valid] = 0
    if not valid.any():
        return filled
    distances, labels = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(int(labels.max()) + 1, np.int64)
    source[labels[valid]] = np.flatnonzero(valid)
    near = ~valid & (distances <= FILL_REACH)
    flat = pixels.reshape(-1, pixels.shape[2])
    filled[near] = flat[source[labels[near]]]
    return filled
