"""The EXIF block as bytes: read its directories, correct values in place, write a new block.

Source: TIFF 6.0, section 2 (directories) and Exif 2.32, section 4.6 (tags).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ByteOrder = Literal["<", ">"]
Block = bytes | mmap.mmap  # a mapped file is a block, too

ORIENTATION = 0x0112
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202

SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SWAP_BYTES = {5: 4, 10: 4}  # a rational is two numbers
_MAX_ENTRIES = 2000


class ExifError(ValueError):
    """The block does not parse; callers keep the image and drop or leave the block."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of a directory; ``value`` is in the byte order of its block."""

    tag: int
    type: int
    count: int
    value: bytes
    at: int  # where the value's bytes lie in the block


@dataclass(frozen=True, slots=True)
class Directory:
    entries: dict[int, Entry]
    at: int  # where its bytes begin
    next_at: int  # where the four bytes that point to the next directory lie
    next: int


def byte_order(block: Block) -> ByteOrder:
    """Return "<" or ">".

    Raises:
        ExifError: not a TIFF structure.
    """
    if block[:4] == b"II*\0":
        return "<"
    if block[:4] == b"MM\0*":
        return ">"
    raise ExifError("no TIFF header")


def read_directory(block: Block, at: int) -> Directory:
    """Parse the directory at offset ``at``; entries that point outside are left out.

    Raises:
        ExifError: the directory itself does not lie in the block.
    """
    order = byte_order(block)
    if at < 8 or at + 2 > len(block):
        raise ExifError(f"no directory at {at}")
    (count,) = struct.unpack_from(order + "H", block, at)
    next_at = at + 2 + 12 * count
    if count > _MAX_ENTRIES or next_at > len(block):
        raise ExifError(f"a directory of {count} entries does not fit")
    entries: dict[int, Entry] = {}
    for k in range(count):
        entry = _read_entry(block, order, at + 2 + 12 * k)
        if entry is not None:
            entries[entry.tag] = entry
    following = 0  # some writers leave the pointer out
    if next_at + 4 <= len(block):
        (following,) = struct.unpack_from(order + "I", block, next_at)
    return Directory(entries, at, next_at, following)


def _read_entry(block: Block, order: ByteOrder, at: int) -> Entry | None:
    tag, kind, count = struct.unpack_from(order + "HHI", block, at)
    size = _TYPE_BYTES.get(kind, 0) * count
    start = at + 8
    if size > 4:
        (start,) = struct.unpack_from(order + "I", block, at + 8)
    if size == 0 or start + size > len(block):
        return None
    return Entry(tag, kind, count, block[start : start + size], start)


def first_directory(block: Block) -> Directory:
    """Return IFD0.

    Raises:
        ExifError: there is none.
    """
    order = byte_order(block)
    if len(block) < 8:
        raise ExifError("too short")
    return read_directory(block, struct.unpack_from(order + "I", block, 4)[0])


def sub_directory(block: Block, parent: Directory, tag: int) -> Directory | None:
    """Return the directory that ``tag`` of ``parent`` points to, or None."""
    offset = integer(block, parent, tag)
    if offset is None:
        return None
    try:
        return read_directory(block, offset)
    except ExifError:
        return None


def directories(block: Block) -> Iterator[Directory]:
    """Yield IFD0 and its EXIF, GPS and interoperability directories (not the thumbnail's)."""
    main = first_directory(block)
    yield main
    for tag in (EXIF_IFD, GPS_IFD):
        sub = sub_directory(block, main, tag)
        if sub is not None:
            yield sub
            interop = sub_directory(block, sub, INTEROP_IFD)
            if interop is not None:
                yield interop


def integer(block: Block, directory: Directory, tag: int) -> int | None:
    """Return a SHORT or LONG value, or None where the tag is absent or something else."""
    entry = directory.entries.get(tag)
    if entry is None or entry.type not in (SHORT, LONG, 13):
        return None
    code = "H" if entry.type == SHORT else "I"
    return int(struct.unpack_from(byte_order(block) + code, entry.value)[0])


def rational(block: Block, directory: Directory, tag: int) -> float | None:
    """Return a RATIONAL value, or None where the tag is absent or divides by zero."""
    entry = directory.entries.get(tag)
    if entry is None or entry.type != RATIONAL:
        return None
    numerator, denominator = struct.unpack_from(byte_order(block) + "II", entry.value)
    return numerator / denominator if denominator else None


def set_integer(block: bytearray, directory: Directory, tag: int, value: int) -> None:
    """Overwrite a SHORT or LONG value in place; absent tags and too large values stay."""
    entry = directory.entries.get(tag)
    if entry is None or entry.type not in (SHORT, LONG):
        return
    code, top = ("H", 0xFFFF) if entry.type == SHORT else ("I", 0xFFFFFFFF)
    if 0 <= value <= top:
        struct.pack_into(byte_order(bytes(block[:4])) + code, block, entry.at, value)


def little_endian(entry: Entry, order: ByteOrder) -> bytes:
    """Return the entry's value in little-endian order."""
    width = _SWAP_BYTES.get(entry.type, _TYPE_BYTES[entry.type])
    if order == "<" or width == 1:
        return entry.value
    parts = [entry.value[k : k + width][::-1] for k in range(0, len(entry.value), width)]
    return b"".join(parts)


def pack_directory(tags: list[tuple[int, int, int, bytes]], at: int) -> bytes:
    """Serialise a little-endian directory that will lie at offset ``at``.

    Args:
        tags: (tag, type, count, little-endian value).
        at: even offset of the directory in its file; long values follow it directly.
    """
    head = struct.pack("<H", len(tags))
    tail = b""
    values_at = at + 2 + 12 * len(tags) + 4
    for tag, kind, count, value in sorted(tags):
        head += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            head += value.ljust(4, b"\0")
            continue
        head += struct.pack("<I", values_at + len(tail))
        tail += value + b"\0" * (len(value) % 2)
    return head + b"\0\0\0\0" + tail


def pack_block(
    main: list[tuple[int, int, int, bytes]],
    exif: list[tuple[int, int, int, bytes]],
    gps: list[tuple[int, int, int, bytes]],
) -> bytes:
    """Serialise a little-endian EXIF block from the tags of IFD0, EXIF and GPS directories."""
    subs = [(EXIF_IFD, exif), (GPS_IFD, gps)]
    pointers = [(tag, LONG, 1, b"\0\0\0\0") for tag, entries in subs if entries]
    end = 8 + len(pack_directory(main + pointers, 8))
    rest = b""
    placed: list[tuple[int, int, int, bytes]] = []
    for tag, entries in subs:
        if not entries:
            continue
        placed.append((tag, LONG, 1, struct.pack("<I", end + len(rest))))
        rest += pack_directory(entries, end + len(rest))
    return struct.pack("<2sHI", b"II", 42, 8) + pack_directory(main + placed, 8) + rest
