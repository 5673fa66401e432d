"""Reads and writes JPEG 2000."""

from __future__ import annotations

import imagecodecs
import numpy as np

from restore_cli.imaging.image import Depth, Image, Metadata
from restore_cli.imaging.jpeg2000.header import read_jpeg2000
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.opencv import decode_samples, samples_of
from restore_cli.imaging.pixels import split_alpha, to_float


def decode(data: bytes) -> Image:
    """Decode a JPEG 2000; more than 8 bits become "uint16".

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    info = read_jpeg2000(data)
    check_size(info.width, info.height)
    samples, _, _ = decode_samples(data, "JPEG 2000")
    deep = samples.dtype == np.uint16
    pixels, alpha = split_alpha(to_float(samples, (1 << min(info.bits, 16)) - 1))
    metadata = Metadata(icc=info.icc)
    return Image(pixels, alpha, "uint16" if deep else "uint8", metadata, "jp2", lossless=False)


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Encode a JP2: lossless by default; below quality 100 with a PSNR of 25 dB + quality / 4.

    imagecodecs writes it: OpenCV's encoder refuses pictures under 32 pixels.
    """
    psnr_db = 0 if quality is None or quality == 100 else 25 + round(quality / 4)  # 0: lossless
    return bytes(
        imagecodecs.jpeg2k_encode(samples_of(image, depth), level=psnr_db, codecformat="jp2")
    ), ()
