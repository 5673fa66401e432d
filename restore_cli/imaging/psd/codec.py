"""Reads Photoshop files: the flattened picture behind the layers.

Source: Adobe Photoshop File Formats Specification (2019), "Photoshop File Format".
"""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.metadata import sane_dpi
from restore_cli.imaging.pixels import to_float

_COLOUR_CHANNELS = {1: 1, 3: 3}  # grey, RGB
_RESOLUTION, _ICC, _EXIF, _XMP = 1005, 1039, 1058, 1060


def decode(data: bytes) -> Image:
    """Decode the flattened picture.

    Raises:
        ImageError: not 8- or 16-bit grey or RGB, damaged, truncated or over the size limit.
    """
    if len(data) < 34:
        raise _truncated()
    version, channels, height, width, bits, mode = struct.unpack_from(">H6xHIIHH", data, 4)
    colours = _COLOUR_CHANNELS.get(mode, 99)
    if version != 1 or bits not in (8, 16) or channels < colours:
        raise ImageError(
            "Photoshop files other than 8- or 16-bit grey and RGB are not supported",
            hint="export it as TIFF",
        )
    check_size(width, height)
    at = _skip(data, 26)
    resources_end = _skip(data, at)
    metadata = _read_resources(data[at + 4 : resources_end])
    at = _skip(data, resources_end)
    planes = _planes(data, at, (colours, height, width), bits, channels)
    pixels = to_float(np.moveaxis(planes, 0, 2), 255 if bits == 8 else 65535)
    return Image(
        pixels,
        depth="uint8" if bits == 8 else "uint16",
        metadata=metadata,
        format="psd",
        notes=("layers flattened",),
    )


def _truncated() -> ImageError:
    return ImageError("truncated Photoshop file: it ends before the picture does")


def _skip(data: bytes, at: int) -> int:
    """Return where the section that begins with its length at ``at`` ends."""
    if at + 4 > len(data):
        raise _truncated()
    return int(at + 4 + struct.unpack_from(">I", data, at)[0])


def _planes(
    data: bytes, at: int, shape: tuple[int, int, int], bits: int, channels: int
) -> NDArray[Any]:
    """Return (colours, height, width) in native byte order, the first of all channels."""
    if at + 2 > len(data):
        raise _truncated()
    (compression,) = struct.unpack_from(">H", data, at)
    size = shape[0] * shape[1] * shape[2] * bits // 8  # of what is returned, that comes first
    body = data[at + 2 :]
    if compression == 1:  # PackBits rows behind a table of their lengths
        start = 2 * channels * shape[1]
        if len(body) < start:
            raise _truncated()
        lengths = np.frombuffer(body, ">u2", channels * shape[1]).astype(np.int64)
        if len(body) < start + lengths.sum():
            raise _truncated()
        end = start + int(lengths[: shape[0] * shape[1]].sum())
        try:
            body = bytes(imagecodecs.packbits_decode(body[start:end], out=size))
        except (RuntimeError, ValueError) as error:
            raise ImageError(f"damaged Photoshop file: {error}") from error
    elif compression != 0:
        raise ImageError("zipped Photoshop files are not supported", hint="export it as TIFF")
    if len(body) < (size if compression else size // shape[0] * channels):
        raise _truncated()
    kind = ">u1" if bits == 8 else ">u2"
    planes = np.frombuffer(body, kind, size * 8 // bits).reshape(shape)
    return planes.astype(planes.dtype.newbyteorder("="))


def _read_resources(block: bytes) -> Metadata:
    found: dict[int, bytes] = {}
    at = 0
    while at + 12 <= len(block) and block[at : at + 4] == b"8BIM":
        (identifier,) = struct.unpack_from(">H", block, at + 4)
        name = 1 + block[at + 6]
        at += 6 + name + name % 2
        if at + 4 > len(block):
            break
        (size,) = struct.unpack_from(">I", block, at)
        found[identifier] = block[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    dpi = None
    if len(found.get(_RESOLUTION, b"")) >= 16:  # 16.16 fixed point, always per inch
        x, y = struct.unpack_from(">I4xI", found[_RESOLUTION])
        dpi = sane_dpi(x / 65536, y / 65536)
    return Metadata(found.get(_EXIF), found.get(_ICC), found.get(_XMP), dpi)
