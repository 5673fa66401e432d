"""Small pictures made by rule, and the folders of sample files."""

from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np

from restore_cli.imaging.exif import pack_block

REPOSITORY = Path(__file__).parents[3]
FORMATS_FOLDER = REPOSITORY / "samples" / "formats"
BROKEN_FOLDER = REPOSITORY / "samples" / "broken"
ODD_FOLDER = REPOSITORY.parent / "shared" / "data" / "odd"

RGB_PROFILE = imagecodecs.cms_profile("adobergb")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'


def smooth(height: int = 24, width: int = 40, channels: int = 3):
    """Return (height, width, channels) float32 whose corners all differ."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    planes = [
        0.1 + 0.8 * rows / height,
        0.9 - 0.7 * columns / width,
        0.2 + 0.6 * (rows + columns) / (height + width),
    ]
    return np.stack(planes[:channels], axis=2).astype(np.float32)


def exif(orientation: int = 1, width: int = 40, height: int = 24) -> bytes:
    return pack_block(
        [
            (0x010F, 2, 8, b"Example\0"),
            (0x0112, 3, 1, struct.pack("<H", orientation)),
        ],
        [
            (0x9003, 2, 20, b"2024:05:01 12:00:00\0"),
            (0xA002, 4, 1, struct.pack("<I", width)),
            (0xA003, 4, 1, struct.pack("<I", height)),
        ],
        [(0x0001, 2, 2, b"N\0")],
    )
