"""Walks through the boxes of AVIF, HEIC and JPEG 2000 files.

Source: ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_FULL_BOXES = {b"meta"}  # four bytes of version and flags come before the children

_PARENTS = {b"meta", b"iprp", b"ipco", b"jp2h"}

_MAX_BOXES = 10_000


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of each box, also of those inside known parents.

    The content of ``mdat`` is not copied and comes out empty.
    """
    for kind, body, box_end in box_places(data, start, len(data) if end is None else end):
        yield kind, b"" if kind == b"mdat" else data[body:box_end]


def box_places(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, begin and end of each box's content; for parents those of their children."""
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
            yield from box_places(data, body + 4 * (kind in _FULL_BOXES), box_end)
        else:
            yield kind, body, box_end
        start = box_end
