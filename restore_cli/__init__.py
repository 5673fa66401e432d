"""Deblur and denoise photographs.

Example:
    >>> from restore_cli import Restorer, read_image, write_image
    >>> image = read_image("photo.jpg")
    >>> restored = Restorer("mimo-unet-deblur")(image.pixels)
    >>> write_image("sharp.jpg", image.with_pixels(restored.clip(0, 1)))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.imaging.image import Image
    from restore_cli.imaging.reading import read_image
    from restore_cli.imaging.writing import write_image

__version__ = "0.1.0"

__all__ = ["Image", "Restorer", "__version__", "read_image", "write_image"]

# Loaded on first use: torch takes over a second, which `restore --help` does not have.
_HOMES = {
    "Image": "restore_cli.imaging.image",
    "Restorer": "restore_cli.engine.restorer",
    "read_image": "restore_cli.imaging.reading",
    "write_image": "restore_cli.imaging.writing",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as Python defines it
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
