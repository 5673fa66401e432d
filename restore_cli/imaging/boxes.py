"""The boxes of AVIF, HEIC and JPEG 2000 files, and the chunks of WebP: size, depth, colour profile.

Source: ISO/IEC 14496-12 (boxes), 23008-12 (image properties), 15444-1 annex I (JP2);
RFC 9649 (WebP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from restore_cli.errors import ImageError

_FULL_BOXES = {b"meta"}  # four bytes of version and flags come before the children
_PARENTS = {b"meta", b"iprp", b"ipco", b"jp2h"}
_XMP_PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
_MAX_BOXES = 10_000
_MAX_FLAGS = 256  # a byte of them is set


@dataclass(slots=True)
class PictureInfo:
    """What a header says; zeros where it says nothing."""

    width: int = 0
    height: int = 0
    bits: int = 8
    frames: int = 1
    turns: int = 0  # quarter turns anticlockwise still to be applied, then the mirror
    mirror: int | None = None  # 0: exchange top and bottom, 1: left and right
    icc: bytes | None = None
    xmp: bytes | None = None
    lossless: bool = False


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of each box, the children of known parents included.

    The content of ``mdat`` is not copied and comes out empty.
    """
    for kind, body, box_end in _places(data, start, len(data) if end is None else end):
        yield kind, b"" if kind == b"mdat" else data[body:box_end]


def _places(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, begin and end of each box's content, of the children of parents instead."""
    count = 0
    while start + 8 <= stop and count < _MAX_BOXES:
        count += 1
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and start + 16 <= stop:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            body = start + 16
        box_end = stop if size == 0 else start + size
        if box_end < body or box_end > stop:
            return
        if kind in _PARENTS:
            yield from _places(data, body + 4 * (kind in _FULL_BOXES), box_end)
        else:
            yield kind, body, box_end
        start = box_end


def with_distinct_associations(data: bytes) -> bytes:
    """Return an AVIF whose boxes that associate properties differ in their flags.

    Some writers give each item a box of its own. Of those with the same version and flags there
    may be one only (14496-12, 8.11.14.1), and decoders refuse the others; all flags but the
    lowest have no meaning.
    """
    places = [
        body
        for kind, body, end in _places(data, 0, len(data))
        if kind == b"ipma" and end - body >= 4
    ]
    if len({data[at : at + 4] for at in places}) == len(places) or len(places) > _MAX_FLAGS:
        return data
    block = bytearray(data)
    for number, at in enumerate(places):
        block[at + 1] = number
    return bytes(block)


def read_avif(data: bytes, title: str = "AVIF") -> PictureInfo:
    """Return what the boxes of an AVIF or HEIC say; the largest picture in it counts.

    Raises:
        ImageError: they give no size.
    """
    info = PictureInfo()
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


def read_jpeg2000(data: bytes) -> PictureInfo:
    """Return what a JP2 file or a bare code stream says.

    Raises:
        ImageError: it gives no size.
    """
    info = PictureInfo()
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


def _read_codestream(info: PictureInfo, stream: bytes) -> None:
    """Read the SIZ segment, which is always first (15444-1, A.5.1)."""
    if len(stream) < 43 or stream[2:4] != b"\xff\x51":
        raise ImageError("JPEG 2000 with a damaged header")
    right, bottom, left, top = struct.unpack_from(">IIII", stream, 8)
    info.width, info.height = max(0, right - left), max(0, bottom - top)
    info.bits = (stream[42] & 0x7F) + 1


def read_webp(data: bytes) -> PictureInfo:
    """Return what the chunks of a WebP say.

    Raises:
        ImageError: truncated, or without a picture.
    """
    info = PictureInfo()
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


def _read_webp_size(info: PictureInfo, kind: bytes, head: bytes) -> None:
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
