from __future__ import annotations

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image


@pytest.fixture
def save(rng):
    """Write pixels, or random ones of a size, to a file of 8 bits and return them as stored."""

    def write(path, pixels=(24, 32, 3)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(pixels, tuple):
            pixels = rng.random(pixels)
        stored = (np.rint(pixels * 255) / 255).astype(np.float32)
        write_image(path, Image(stored))
        return stored

    return write


@pytest.fixture
def pairs(tmp_path, save):
    """A folder of three pairs of which the degraded ones are a bit darker."""
    for name in ("a", "b", "c"):
        clean = save(tmp_path / "set" / "sharp" / f"{name}.png")
        save(tmp_path / "set" / "blur" / f"{name}.png", clean * 0.9)
    return tmp_path / "set"
