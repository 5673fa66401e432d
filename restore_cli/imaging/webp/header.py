"""Reads size and frames from the chunks of a WebP file.

Source: RFC 9649.
"""

from __future__ import annotations

import struct

from restore_cli.errors import ImageError
from restore_cli.imaging.header import Header


def read_webp(data: bytes) -> Header:
    """Read the chunks of a WebP.

    Raises:
        ImageError: truncated, or without a picture.
    """
    info = Header()
    frames = 0
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise ImageError(
            "truncated WebP: the file ends before the picture does",
            hint="copy it again from the source",
        )
    at = 12
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        head = data[at + 8 : at + 18]
        frames += kind == b"ANMF"
        if kind == b"VP8L":
            info.lossless = True
        _read_webp_size(info, kind, head)
        at += 8 + size + size % 2
    info.frames = max(1, frames)
    if not info.width:
        raise ImageError("WebP without a picture in it", hint="the file is damaged")
    return info


def _read_webp_size(info: Header, kind: bytes, head: bytes) -> None:
    if info.width or len(head) < 10:
        return
    if kind == b"VP8X":
        info.width = 1 + int.from_bytes(head[4:7], "little")
        info.height = 1 + int.from_bytes(head[7:10], "little")
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 6)
        info.width, info.height = width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        info.width, info.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
