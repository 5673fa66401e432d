"""Reads and writes WebP."""

from __future__ import annotations

import cv2

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Depth, Image
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.opencv import decode_samples, encode_samples, samples_of
from restore_cli.imaging.pixels import split_alpha, to_float
from restore_cli.imaging.webp.header import read_webp


def decode(data: bytes) -> Image:
    """Decode a WebP; of an animated one the first frame.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    info = read_webp(data)
    check_size(info.width, info.height)
    samples, metadata, _ = decode_samples(data, "WebP")
    pixels, alpha = split_alpha(to_float(samples, 255))
    notes = (f"first of {info.frames} frames used",) if info.frames > 1 else ()
    return Image(pixels, alpha, "uint8", metadata, "webp", notes, lossless=info.lossless)


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Encode a WebP: lossless for quality 100 or by default from a lossless source, else 95."""
    if max(image.width, image.height) > 16383:
        raise ImageError("WebP holds at most 16383 pixels a side", hint="use --format png")
    if quality is None:
        quality = 100 if image.lossless else 95
    options = [cv2.IMWRITE_WEBP_QUALITY, 101 if quality == 100 else quality]  # 101: lossless
    return encode_samples(".webp", samples_of(image, depth), options, image.metadata), ()
