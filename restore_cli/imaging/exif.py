"""Reads the directories of an EXIF block, corrects values in place, and writes new blocks.

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
LONG8, SLONG8, IFD8 = 16, 17, 18
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_BYTES |= {LONG8: 8, SLONG8: 8, IFD8: 8}
_INTEGERS = {SHORT: "H", LONG: "I", 13: "I", LONG8: "Q", IFD8: "Q"}
_SWAP_BYTES = {5: 4, 10: 4}  # a rational is two numbers
_MAX_ENTRIES = 2000


class ExifError(ValueError):
    """Says that a block cannot be parsed; callers keep the image and drop or keep the block."""


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


@dataclass(frozen=True, slots=True)
class Widths:
    """Sizes of the numbers in directories, as codes of ``struct``."""

    count: str  # of entries
    number: str  # an offset, or how many values an entry has
    first_at: int  # where the offset of the first directory lies

    @property
    def count_bytes(self) -> int:
        return struct.calcsize("<" + self.count)

    @property
    def number_bytes(self) -> int:
        return struct.calcsize("<" + self.number)

    @property
    def entry_bytes(self) -> int:
        return 4 + 2 * self.number_bytes


CLASSIC, BIG = Widths("H", "I", 4), Widths("Q", "Q", 8)


def byte_order(block: Block) -> ByteOrder:
    """Return the byte order of a block, "<" or ">".

    Raises:
        ExifError: not a TIFF structure.
    """
    if block[:4] in (b"II*\0", b"II+\0"):
        return "<"
    if block[:4] in (b"MM\0*", b"MM\0+"):
        return ">"
    raise ExifError("no TIFF header")


def widths(block: Block) -> Widths:
    """Return the sizes of numbers: those of BigTIFF, or of all other blocks."""
    return BIG if b"+" in block[2:4] else CLASSIC


def read_directory(block: Block, at: int) -> Directory:
    """Parse the directory at offset ``at``; entries that point outside are left out.

    Raises:
        ExifError: the directory itself does not lie in the block.
    """
    order, wide = byte_order(block), widths(block)
    first_at = at + wide.count_bytes
    if at < 8 or first_at > len(block):
        raise ExifError(f"no directory at {at}")
    (count,) = struct.unpack_from(order + wide.count, block, at)
    next_at = first_at + wide.entry_bytes * count
    if count > _MAX_ENTRIES or next_at > len(block):
        raise ExifError(f"a directory of {count} entries does not fit")
    entries: dict[int, Entry] = {}
    for k in range(count):
        entry = _read_entry(block, order, wide, first_at + wide.entry_bytes * k)
        if entry is not None:
            entries[entry.tag] = entry
    following = 0  # some writers leave the pointer out
    if next_at + wide.number_bytes <= len(block):
        (following,) = struct.unpack_from(order + wide.number, block, next_at)
    return Directory(entries, at, next_at, following)


def _read_entry(block: Block, order: ByteOrder, wide: Widths, at: int) -> Entry | None:
    tag, kind, count = struct.unpack_from(order + "HH" + wide.number, block, at)
    size = _TYPE_BYTES.get(kind, 0) * count
    start = at + 4 + wide.number_bytes
    if size > wide.number_bytes:
        (start,) = struct.unpack_from(order + wide.number, block, start)
    if size == 0 or start + size > len(block):
        return None
    return Entry(tag, kind, count, block[start : start + size], start)


def first_directory(block: Block) -> Directory:
    """Return IFD0.

    Raises:
        ExifError: there is none.
    """
    order, wide = byte_order(block), widths(block)
    if len(block) < wide.first_at + wide.number_bytes:
        raise ExifError("too short")
    return read_directory(block, struct.unpack_from(order + wide.number, block, wide.first_at)[0])


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
    """Return an unsigned value or an offset, or None where the tag is absent or something else."""
    entry = directory.entries.get(tag)
    if entry is None or entry.type not in _INTEGERS:
        return None
    return int(struct.unpack_from(byte_order(block) + _INTEGERS[entry.type], entry.value)[0])


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


def pack_directory(
    tags: list[tuple[int, int, int, bytes]], at: int, wide: Widths = CLASSIC
) -> bytes:
    """Serialise a little-endian directory that will lie at offset ``at``.

    Args:
        tags: (tag, type, count, little-endian value).
        at: even offset of the directory in its file; long values follow it directly.
        wide: how wide its numbers are.
    """
    head = struct.pack("<" + wide.count, len(tags))
    tail = b""
    values_at = at + wide.count_bytes + wide.entry_bytes * len(tags) + wide.number_bytes
    for tag, kind, count, value in sorted(tags):
        head += struct.pack("<HH" + wide.number, tag, kind, count)
        if len(value) <= wide.number_bytes:
            head += value.ljust(wide.number_bytes, b"\0")
            continue
        head += struct.pack("<" + wide.number, values_at + len(tail))
        tail += value + b"\0" * (len(value) % 2)
    return head + bytes(wide.number_bytes) + tail


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
