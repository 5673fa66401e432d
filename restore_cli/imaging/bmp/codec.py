"""Reads and writes BMP."""

from __future__ import annotations

import struct

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Depth, Image, Metadata
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.metadata import sane_dpi
from restore_cli.imaging.opencv import COPY_AGAIN, decode_samples, encode_samples, samples_of
from restore_cli.imaging.pixels import split_alpha, to_float


def decode(data: bytes) -> Image:
    """Decode a BMP. An empty fourth channel is padding, not alpha.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    if len(data) < 26:
        raise ImageError("truncated BMP: the file ends before the picture does", hint=COPY_AGAIN)
    (header_size,) = struct.unpack_from("<I", data, 14)
    kind = "<hh" if header_size == 12 else "<ii"  # OS/2 files have the short header
    width, height = struct.unpack_from(kind, data, 18)
    check_size(width, abs(height))
    samples, _, _ = decode_samples(data, "BMP")
    pixels, alpha = split_alpha(to_float(samples, 255))
    if alpha is not None and not alpha.any():
        alpha = None
    dpi = None
    if header_size >= 40 and len(data) >= 46:
        x, y = struct.unpack_from("<ii", data, 38)
        dpi = sane_dpi(x, y, 0.0254)
    return Image(pixels, alpha, "uint8", Metadata(dpi=dpi), "bmp")


def encode(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Encode a BMP; ``quality`` has no meaning here."""
    return encode_samples(".bmp", samples_of(image, depth), [], Metadata()), ()
