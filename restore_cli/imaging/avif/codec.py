"""Reads and writes AVIF."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from restore_cli.imaging.heif.boxes import read_heif, with_distinct_associations
from restore_cli.imaging.image import Depth, Image, Pixels
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.opencv import decode_samples, encode_samples, samples_of
from restore_cli.imaging.pixels import split_alpha, to_float


def decode(data: bytes) -> Image:
    """Decode an AVIF and turn it as its boxes say; 10 and 12 bits become "uint16".

    Raises:
        ImageError: damaged or over the size limit.
    """
    info = read_heif(data, "AVIF")
    check_size(info.width, info.height)
    samples, metadata, _ = decode_samples(with_distinct_associations(data), "AVIF")
    deep = samples.dtype == np.uint16
    pixels, alpha = split_alpha(to_float(samples, (1 << info.bits) - 1 if deep else 255))
    metadata = replace(metadata, icc=info.icc, xmp=info.xmp)
    image = Image(pixels, alpha, "uint16" if deep else "uint8", metadata, "avif", lossless=False)
    return _turned(image, info.turns, info.mirror)


def _turned(image: Image, turns: int, mirror: int | None) -> Image:
    def turned(pixels: Pixels) -> Pixels:
        pixels = np.rot90(pixels, turns)
        if mirror is not None:
            pixels = np.flip(pixels, mirror)
        return pixels.copy()  # as in ``metadata.orient``

    alpha = None if image.alpha is None else turned(image.alpha)
    return replace(image, pixels=turned(image.pixels), alpha=alpha)


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Encode an AVIF of 8 bits, or of 12 for "uint16"; quality 90 by default."""
    bits, top = (12, 4095) if depth == "uint16" else (8, None)
    options = [
        cv2.IMWRITE_AVIF_QUALITY, 90 if quality is None else quality,
        cv2.IMWRITE_AVIF_DEPTH, bits,
        cv2.IMWRITE_AVIF_SPEED, 8,
    ]  # fmt: skip
    notes = (
        ("16 bits reduced to 12: AVIF holds 12",) if bits == 12 and image.format != "avif" else ()
    )
    return encode_samples(".avif", samples_of(image, depth, top), options, image.metadata), notes
