"""Reads the first frame of a GIF."""

from __future__ import annotations

import struct

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.opencv import COPY_AGAIN, decode_samples
from restore_cli.imaging.pixels import split_alpha, to_float


def decode(data: bytes) -> Image:
    """Decode the first frame of a GIF.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    if len(data) < 13:
        raise ImageError("truncated GIF: the file ends before the picture does", hint=COPY_AGAIN)
    check_size(*struct.unpack_from("<HH", data, 6))
    frames = _gif_frames(data)
    samples, _, _ = decode_samples(data, "GIF")
    pixels, alpha = split_alpha(to_float(samples, 255))
    if alpha is not None and alpha.all():
        alpha = None
    notes = (f"first of {frames} frames used",) if frames > 1 else ()
    return Image(pixels, alpha, "uint8", format="gif", notes=notes)


def _gif_frames(data: bytes) -> int:
    """Count image blocks without decoding them, and check the size that each asks for.

    Source: GIF89a, sections 20 to 26.
    """
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    frames = 0
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x21:
            at += 2
        else:
            if at + 10 > len(data):
                break
            frames += 1
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
            check_size(left + width, top + height)
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return frames
