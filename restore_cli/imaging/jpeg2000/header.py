"""Reads size, depth and profile from a JP2 file or a bare code stream.

Source: ISO/IEC 15444-1, annexes A and I.
"""

from __future__ import annotations

import struct

from restore_cli.errors import ImageError
from restore_cli.imaging.header import Header
from restore_cli.imaging.iso_boxes import walk


def read_jpeg2000(data: bytes) -> Header:
    """Read the header of a JP2 file or a bare code stream.

    Raises:
        ImageError: it gives no size.
    """
    info = Header()
    if data[:4] == b"\xff\x4f\xff\x51":
        _read_codestream(info, data)
        return info
    for kind, body in walk(data):
        if kind == b"colr" and body[:1] == b"\2" and info.icc is None:
            info.icc = body[3:]
        elif kind == b"jp2c":
            _read_codestream(info, body)
            break
    if not info.width:
        raise ImageError("JPEG 2000 without a picture in it", hint="the file is damaged")
    return info


def _read_codestream(info: Header, stream: bytes) -> None:
    """Read the SIZ segment, which is always first (15444-1, A.5.1)."""
    if len(stream) < 43 or stream[2:4] != b"\xff\x51":
        raise ImageError("JPEG 2000 with a damaged header")
    right, bottom, left, top = struct.unpack_from(">IIII", stream, 8)
    info.width, info.height = max(0, right - left), max(0, bottom - top)
    info.bits = (stream[42] & 0x7F) + 1
