"""Images that are shifted against their clean ones, brought together before they are compared.

Source: Levin et al., "Understanding and evaluating blind deconvolution algorithms", CVPR 2009,
section 5: a kernel and its image are known up to a shift. Whole pixels only are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

SHIFT, BORDER = 6, 15  # pixels


def aligned(
    pixels: Pixels, clean: Pixels, *, shift: int = SHIFT, border: int = BORDER
) -> tuple[Pixels, Pixels]:
    """Return both images cut to where the first fits the clean one best.

    Args:
        pixels: (H, W, C).
        clean: same shape.
        shift: the furthest that is tried, in either direction of rows and of columns.
        border: what is cut from each side of the clean one, at least ``shift``.

    Raises:
        ValueError: the shapes differ, or nothing is left within the border.
    """
    if pixels.shape != clean.shape or border < shift:
        raise ValueError(f"cannot align {pixels.shape} with {clean.shape}, border {border}")
    height, width = clean.shape[0] - 2 * border, clean.shape[1] - 2 * border
    if height < 1 or width < 1:
        raise ValueError(f"nothing of {clean.shape} is left within {border} pixels")
    inner = clean[border : border + height, border : border + width]

    def shifted(dy: int, dx: int) -> Pixels:
        return pixels[border + dy : border + dy + height, border + dx : border + dx + width]

    steps = range(-shift, shift + 1)
    moves = [(dy, dx) for dy in steps for dx in steps]
    best = min(moves, key=lambda move: float(np.square(shifted(*move) - inner).mean()))
    return shifted(*best), inner
