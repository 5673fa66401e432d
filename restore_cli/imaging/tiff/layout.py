"""Lays out the samples of a TIFF that is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.image import Depth, Image, Pixels
from restore_cli.imaging.pixels import from_float, join_alpha

XMP_TAG = 700

_STRIP_BYTES = 1 << 20


_BIG_BYTES = 3_500_000_000  # from here on BigTIFF; a classic one ends at 4 GiB


def to_samples(pixels: Pixels, alpha: Pixels | None, depth: Depth) -> NDArray[Any]:
    """Return pixels as they are stored: (h, w), or (h, w, S) with alpha last."""
    samples = from_float(join_alpha(pixels, alpha), depth)
    return samples[:, :, 0] if samples.shape[2] == 1 else samples


@dataclass(frozen=True, slots=True)
class Layout:
    """Describes how an image's samples are stored."""

    shape: tuple[int, ...]  # (H, W), or (H, W, S)
    depth: Depth

    @staticmethod
    def of(image: Image, depth: Depth) -> Layout:
        """Return the layout of an image written in some depth."""
        samples = image.pixels.shape[2] + (image.alpha is not None)
        size = (image.height, image.width)
        return Layout(size if samples == 1 else (*size, samples), depth)

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * np.dtype(self.depth).itemsize

    @property
    def is_big(self) -> bool:
        return self.shape[0] * self.row_bytes > _BIG_BYTES

    @property
    def rows_per_strip(self) -> int:
        return min(self.shape[0], max(1, _STRIP_BYTES // self.row_bytes))

    @property
    def predictor(self) -> int:
        """Return the tag's value: differences of integers, or of a float's bytes."""
        return 3 if self.depth == "float32" else 2

    @property
    def container(self) -> dict[str, Any]:
        """Return the options of ``tifffile.TiffWriter``; Any: one type for each."""
        return {"bigtiff": self.is_big, "byteorder": "<"}

    def page_options(self, image: Image) -> dict[str, Any]:
        """Return the options of ``tifffile.TiffWriter.write``; Any: one type for each."""
        metadata = image.metadata
        extra: list[tuple[int, int, int, Any, bool]] = []
        if metadata.xmp is not None:
            extra.append((XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
        return {
            "photometric": "minisblack" if image.is_grey else "rgb",
            "planarconfig": None if len(self.shape) == 2 else "contig",
            "extrasamples": None if image.alpha is None else ["unassalpha"],
            "compression": "adobe_deflate",
            "predictor": self.predictor,
            "rowsperstrip": self.rows_per_strip,
            "iccprofile": metadata.icc,
            "resolution": metadata.dpi,
            "resolutionunit": None if metadata.dpi is None else "INCH",
            "metadata": None,
            "software": False,
            "extratags": extra,
        }
