from __future__ import annotations

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image


@pytest.fixture
def photos(tmp_path, rng):
    """Return a folder of three pictures, one of them in a folder of its own."""
    for name in ("a.png", "b.jpg", "sub/c.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "in" / name, Image(rng.random((40, 50, 3), dtype=np.float32)))
    return tmp_path / "in"
