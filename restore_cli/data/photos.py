"""Decoded photos, kept in memory as far as a budget allows."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.reading import read_image

Photo = NDArray[np.uint8]  # (H, W, 3) sRGB

CACHE_BYTES = 3 * 2**30


class PhotoCache:
    """Reads photos as 8-bit RGB; the least recently used ones are dropped above the budget."""

    def __init__(self, budget_bytes: int = CACHE_BYTES) -> None:
        self._budget = budget_bytes
        self._held = 0
        self._photos: OrderedDict[Path, Photo] = OrderedDict()

    def read(self, path: Path) -> Photo:
        """Return the photo at ``path``; grey becomes three equal channels, alpha is left out.

        Raises:
            ImageError: the file cannot be read.
        """
        if path in self._photos:
            self._photos.move_to_end(path)
            return self._photos[path]
        pixels = np.clip(np.rint(read_image(path).pixels * 255), 0, 255).astype(np.uint8)
        photo = np.array(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))  # own and writable
        self._photos[path] = photo
        self._held += photo.nbytes
        while self._held > self._budget and len(self._photos) > 1:
            _, dropped = self._photos.popitem(last=False)
            self._held -= dropped.nbytes
        return photo
