"""Reads size, depth, turns, profile and XMP from the boxes of HEIC and AVIF files.

Source: ISO/IEC 23008-12 (image properties).
"""

from __future__ import annotations

import re
import struct

from restore_cli.errors import ImageError
from restore_cli.imaging.header import Header
from restore_cli.imaging.iso_boxes import box_places, walk

_XMP_PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)

_MAX_FLAGS = 256  # a byte of them is set


def read_heif(data: bytes, title: str) -> Header:
    """Read the boxes of an AVIF or HEIC; the largest picture in it counts.

    Raises:
        ImageError: they give no size.
    """
    info = Header()
    for kind, body in walk(data):
        if kind == b"ispe" and len(body) >= 12:
            width, height = struct.unpack_from(">II", body, 4)
            if width * height > info.width * info.height:
                info.width, info.height = width, height
        elif kind == b"av1C" and len(body) >= 4:
            bits = {0: 8, 0x40: 10, 0x60: 12}.get(body[2] & 0x60, 8)
            info.bits = max(info.bits, bits)
        elif kind == b"irot" and body:
            info.turns = body[0] & 3
        elif kind == b"imir" and body:
            info.mirror = body[0] & 1
        elif kind == b"colr" and body[:4] in (b"prof", b"rICC"):
            info.icc = body[4:]
    if not info.width:
        raise ImageError(f"{title} without a picture in it", hint="the file is damaged")
    packet = _XMP_PACKET.search(data)
    info.xmp = packet.group() if packet else None
    return info


def with_distinct_associations(data: bytes) -> bytes:
    """Return an AVIF in which no two boxes that associate properties have the same flags.

    Some writers give each item a box of its own. Of those with the same version and flags there
    may be one only (14496-12, 8.11.14.1), and decoders refuse the others; all flags but the
    lowest have no meaning.
    """
    places = [
        body
        for kind, body, end in box_places(data, 0, len(data))
        if kind == b"ipma" and end - body >= 4
    ]
    if len({data[at : at + 4] for at in places}) == len(places) or len(places) > _MAX_FLAGS:
        return data
    block = bytearray(data)
    for number, at in enumerate(places):
        block[at + 1] = number
    return bytes(block)
