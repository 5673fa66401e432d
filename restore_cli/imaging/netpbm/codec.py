"""Reads PBM, PGM, PPM and PFM.

Source: the netpbm format pages (pbm, pgm, ppm) and Debevec's PFM.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image, Pixels
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.pixels import to_float

_SPACE = rb"(?:[ \t\r\n]+|#[^\n]*\n)+"
_NUMBER = re.compile(_SPACE + rb"(\d{1,9})")
_SCALE = re.compile(_SPACE + rb"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)")
_COMMENT = re.compile(rb"#[^\n]*")


def decode(data: bytes) -> Image:
    """Decode the first picture of a netpbm file.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    kind = data[:2]
    if kind in (b"Pf", b"PF"):
        return _decode_float(data, 3 if kind == b"PF" else 1)
    width, at = _number(data, 2)
    height, at = _number(data, at)
    check_size(width, height)
    if kind in (b"P1", b"P4"):
        bits = _bits(data, at, width, height, plain=kind == b"P1")
        return Image(to_float(1 - bits, 1), format="pgm")
    maximum, at = _number(data, at)
    if not 1 <= maximum <= 65535:
        raise ImageError(f"netpbm file with a maximum of {maximum}")
    channels = 3 if kind in (b"P3", b"P6") else 1
    count = width * height * channels
    if kind in (b"P2", b"P3"):
        values = _plain_numbers(data[at:], count)
    else:
        values = _raw(data, at + 1, count, ">u2" if maximum > 255 else "u1")
    pixels = to_float(values.reshape(height, width, channels), maximum)
    return Image(
        np.minimum(pixels, 1),
        depth="uint16" if maximum > 255 else "uint8",
        format="ppm" if channels == 3 else "pgm",
    )


def _number(data: bytes, at: int) -> tuple[int, int]:
    match = _NUMBER.match(data, at)
    if match is None:
        raise ImageError("netpbm file with a damaged header")
    return int(match.group(1)), match.end()


def _truncated() -> ImageError:
    return ImageError("truncated netpbm file: the file ends before the picture does")


def _raw(data: bytes, at: int, count: int, kind: str) -> NDArray[Any]:
    if len(data) - at < count * np.dtype(kind).itemsize:
        raise _truncated()
    return np.frombuffer(data, kind, count, at)


def _plain_numbers(text: bytes, count: int) -> NDArray[Any]:
    words = _COMMENT.sub(b"", text).split()[:count]
    if len(words) < count:
        raise _truncated()
    try:
        return np.array(words).astype(np.int64)
    except ValueError as error:
        raise ImageError("netpbm file with text where numbers belong") from error


def _bits(data: bytes, at: int, width: int, height: int, *, plain: bool) -> NDArray[Any]:
    """Return (H, W) of 0 and 1, where 1 is black."""
    if plain:
        digits = np.frombuffer(_COMMENT.sub(b"", data[at:]), np.uint8)
        digits = digits[(digits == 48) | (digits == 49)][: width * height]
        if digits.size < width * height:
            raise _truncated()
        return np.asarray((digits - 48).reshape(height, width))
    row = (width + 7) // 8
    packed = _raw(data, at + 1, row * height, "u1").reshape(height, row)
    bits: NDArray[np.uint8] = np.unpackbits(packed, axis=1)
    return bits[:, :width]


def _decode_float(data: bytes, channels: int) -> Image:
    width, at = _number(data, 2)
    height, at = _number(data, at)
    check_size(width, height)
    match = _SCALE.match(data, at)
    if match is None:
        raise ImageError("PFM file with a damaged header")
    scale = float(match.group(1))
    values = _raw(data, match.end() + 1, width * height * channels, "<f4" if scale < 0 else ">f4")
    pixels: Pixels = values.reshape(height, width, channels)[::-1].astype(np.float32)
    return Image(pixels, depth="float32", format="pfm")
