"""EXIF in TIFF files: their own directory is half of it; read it out, write it back."""

from __future__ import annotations

import mmap
import struct

from tifffile import TiffPage

from restore_cli.imaging import exif as exif_block
from restore_cli.imaging.exif import EXIF_IFD, GPS_IFD, INTEROP_IFD, LONG, Directory, ExifError
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
    """Return an EXIF block made of the page's descriptive, EXIF and GPS tags.

    BigTIFF has wider directories that our reader does not know; of those only the
    orientation is kept.
    """
    if page.parent.is_bigtiff:
        value = page.tags.valueof(exif_block.ORIENTATION, 1)
        descriptive = [(exif_block.ORIENTATION, 3, 1, struct.pack("<H", value))]
        exif, gps = [], []
    else:
        try:
            main = exif_block.read_directory(data, page.offset)
        except ExifError:
            return None
        subs = [exif_block.sub_directory(data, main, tag) for tag in (EXIF_IFD, GPS_IFD)]
        exif, gps = ([] if sub is None else _tags(data, sub) for sub in subs)
        descriptive = _tags(data, main, _DESCRIPTIVE)
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


def add_exif(data: bytes, exif: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a little-endian classic TIFF with the tags of an EXIF block, and notes."""
    tail, at = exif_tail(data, exif)
    if not tail:
        return data, (BROKEN_EXIF,)
    head = data[:4] + struct.pack("<I", at) + data[8:]
    return head.ljust(at, b"\0") + tail, ()


def exif_tail(data: File, exif: bytes) -> tuple[bytes, int]:
    """Return what to append to a little-endian classic TIFF to give it the tags of an EXIF block.

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
    pointers: Tags = [(tag, LONG, 1, b"\0\0\0\0") for tag, tags in contents if tags]
    end = at + len(exif_block.pack_directory(main + pointers, at))
    rest, placed = b"", []
    for tag, tags in contents:
        if tags:
            placed.append((tag, LONG, 1, struct.pack("<I", end + len(rest))))
            rest += exif_block.pack_directory(tags, end + len(rest))
    return exif_block.pack_directory(main + placed, at) + rest, at
