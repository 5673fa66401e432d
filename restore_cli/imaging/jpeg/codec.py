"""Reads and writes JPEG; CMYK becomes sRGB."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import imagecodecs

from restore_cli.errors import ImageError
from restore_cli.imaging.colour import cmyk_to_srgb
from restore_cli.imaging.image import Depth, Image, Metadata, Pixels
from restore_cli.imaging.jpeg import segments as jpeg_segments
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.native_stderr import reason
from restore_cli.imaging.opencv import COPY_AGAIN, decode_samples, encode_samples, samples_of
from restore_cli.imaging.pixels import to_float

_JPEG_LOSS = re.compile(r"premature end|bad huffman|corrupt data|bad progressive", re.IGNORECASE)


def decode(data: bytes) -> Image:
    """Decode a JPEG; CMYK is converted to sRGB.

    Raises:
        ImageError: damaged, truncated, of an unsupported kind or over the size limit.
    """
    info = jpeg_segments.read_jpeg(data)
    check_size(info.width, info.height)
    samples, _, messages = decode_samples(data, "JPEG")
    damage = [line for line in messages if _JPEG_LOSS.search(line)]
    if damage:
        raise ImageError(f"damaged JPEG: {reason(damage) or damage[0]}", hint=COPY_AGAIN)
    notes = tuple(f"slightly damaged JPEG ({reason([m]) or m})" for m in messages[:1])
    if info.has_more_pictures:
        notes += ("further pictures in the file (preview, gain map) are not carried over",)
    metadata = info.metadata()
    if info.components == 4:
        pixels, how = _cmyk(data, info, metadata.icc)
        return Image(
            pixels,
            None,
            "uint8",
            replace(metadata, icc=None),
            "jpeg",
            (*notes, how),
            info.quality,
            lossless=False,
        )
    return Image(
        to_float(samples, 255),
        None,
        "uint8",
        metadata,
        "jpeg",
        notes,
        info.quality,
        lossless=False,
    )


def _cmyk(data: bytes, info: jpeg_segments.JpegInfo, icc: bytes | None) -> tuple[Pixels, str]:
    try:
        stored = imagecodecs.jpeg8_decode(data)
    except imagecodecs.Jpeg8Error as error:
        raise ImageError(f"damaged JPEG: {error}", hint=COPY_AGAIN) from error
    return cmyk_to_srgb(255 - stored if info.adobe else stored, icc)


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Encode a JPEG; by default in the source's quality, but at least 90, or 95 if unknown."""
    chosen = quality or max(90, image.quality or 95)
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        if chosen >= 90
        else (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    )
    options = [
        cv2.IMWRITE_JPEG_QUALITY, chosen,
        cv2.IMWRITE_JPEG_OPTIMIZE, 1,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling,
    ]  # fmt: skip
    data = encode_samples(".jpg", samples_of(image, depth), options, Metadata())
    return jpeg_segments.add_metadata(data, image.metadata)
