from __future__ import annotations

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image


@pytest.fixture
def save():
    """Write random 8-bit pixels to a PNG and return its path."""

    def write(path, height=48, width=64, seed=0, channels=3):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels))
        write_image(path, Image(pixels=(pixels / 255).astype(np.float32)))
        return path

    return write
