"""Reads and writes EXIF in TIFF files, whose own directory holds half of it."""

from __future__ import annotations

import mmap
import struct

from tifffile import TiffPage

from restore_cli.imaging import exif as exif_block
from restore_cli.imaging.exif import (
    EXIF_IFD,
    GPS_IFD,
    IFD8,
    INTEROP_IFD,
    LONG,
    LONG8,
    SLONG8,
    Directory,
    ExifError,
)
from restore_cli.imaging.metadata import BROKEN_EXIF

Tags = list[tuple[int, int, int, bytes]]
File = bytes | mmap.mmap  # a whole file, in memory or mapped

# Tags of IFD0 that describe the picture and not how its pixels are stored.
_DESCRIPTIVE = (
    0x010E,  # ImageDescription
    0x010F,  # Make
    0x0110,  # Model
    exif_block.ORIENTATION,
    0x0131,  # Software
    0x0132,  # DateTime
    0x013B,  # Artist
    0x8298,  # Copyright
)
# What scientific writers put into ImageDescription; it describes their file, not ours.
_LAYOUT_NOTES = (b'{"shape"', b"ImageJ=", b"<?xml", b"<OME")
_UPRIGHT = [(exif_block.ORIENTATION, 3, 1, b"\1\0")]
_POINTERS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)


def read_exif(data: File, page: TiffPage) -> bytes | None:
    """Make an EXIF block of a page's descriptive, EXIF and GPS tags."""
    try:
        main = exif_block.read_directory(data, page.offset)
    except ExifError:
        return None
    subs = [exif_block.sub_directory(data, main, tag) for tag in (EXIF_IFD, GPS_IFD)]
    exif, gps = ([] if sub is None else _narrow(_tags(data, sub)) for sub in subs)
    descriptive = _narrow(_tags(data, main, _DESCRIPTIVE))
    if not exif and not gps and all(tag in _UPRIGHT for tag in descriptive):
        return None
    return exif_block.pack_block(descriptive, exif, gps)


def _tags(data: File, directory: Directory, wanted: tuple[int, ...] | None = None) -> Tags:
    """Return the directory's tags in little-endian form, without pointers to others."""
    order = exif_block.byte_order(data)
    return [
        (entry.tag, entry.type, entry.count, exif_block.little_endian(entry, order))
        for entry in directory.entries.values()
        if entry.tag not in _POINTERS
        and (wanted is None or entry.tag in wanted)
        and not entry.value.startswith(_LAYOUT_NOTES)
    ]


def _narrow(tags: Tags) -> Tags:
    """Return the tags that a block, which has numbers of 32 bits, can hold."""
    return [tag for tag in tags if tag[1] not in (LONG8, SLONG8, IFD8)]


def add_exif(data: bytes, exif: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Add the tags of an EXIF block to a little-endian TIFF; return it with notes."""
    tail, at = exif_tail(data, exif)
    if not tail:
        return data, (BROKEN_EXIF,)
    place, pointer = pointer_to(data, at)
    head = data[:place] + pointer + data[place + len(pointer) :]
    return head.ljust(at, b"\0") + tail, ()


def pointer_to(data: File, at: int) -> tuple[int, bytes]:
    """Return where the header of a little-endian TIFF points to its first directory, and what."""
    wide = exif_block.widths(data)
    return wide.first_at, struct.pack("<" + wide.number, at)


def exif_tail(data: File, exif: bytes) -> tuple[bytes, int]:
    """Return what to append to a little-endian TIFF to give it the tags of an EXIF block.

    The first directory is written again, with the descriptive tags and pointers to the EXIF and
    GPS directories behind it.

    Returns:
        The bytes, none where the block is damaged, and where they begin: at the next even offset
        behind ``data``. The file's header has to point there.
    """
    try:
        source = exif_block.first_directory(exif)
    except ExifError:
        return b"", 0
    page = exif_block.first_directory(data)
    subs = [exif_block.sub_directory(exif, source, tag) for tag in (EXIF_IFD, GPS_IFD)]
    contents = [
        (tag, _tags(exif, sub)) for tag, sub in zip((EXIF_IFD, GPS_IFD), subs, strict=True) if sub
    ]
    present = set(page.entries)
    main = _tags(data, page) + [
        tag for tag in _tags(exif, source, _DESCRIPTIVE) if tag[0] not in present
    ]
    at = len(data) + len(data) % 2
    wide = exif_block.widths(data)
    kind = IFD8 if wide == exif_block.BIG else LONG
    pointers: Tags = [(tag, kind, 1, bytes(wide.number_bytes)) for tag, tags in contents if tags]
    end = at + len(exif_block.pack_directory(main + pointers, at, wide))
    rest, placed = b"", []
    for tag, tags in contents:
        if tags:
            placed.append((tag, kind, 1, struct.pack("<" + wide.number, end + len(rest))))
            rest += exif_block.pack_directory(tags, end + len(rest), wide)
    return exif_block.pack_directory(main + placed, at, wide) + rest, at
