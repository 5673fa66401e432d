"""Walks through the chunks of a PNG: checks them, reads and writes metadata.

The decoder is given only the chunks that make pixels: a text chunk that inflates to
gigabytes, an animation or a strange profile never reaches it.

Source: PNG (third edition), W3C 2025, sections 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Metadata
from restore_cli.imaging.metadata import sane_dpi

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_MAX_INFLATED = 16 << 20  # of a profile or of XMP
_INCHES_PER_METRE = 39.37007874015748


@dataclass(slots=True)
class PngInfo:
    """Facts from the chunks; filled by ``read_png``."""

    width: int = 0
    height: int = 0
    bit_depth: int = 8
    colour_type: int = 2
    frames: int = 1
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    pixel_chunks: list[bytes] = field(default_factory=list)

    @property
    def is_grey(self) -> bool:
        return self.colour_type in (0, 4)

    def metadata(self) -> Metadata:
        return Metadata(self.exif, self.icc, self.xmp, self.dpi)

    def transparent_grey(self) -> float | None:
        """Return the grey in [0, 1] that means transparent; None if there is none."""
        for chunk in self.pixel_chunks if self.colour_type == 0 else []:
            if chunk[4:8] == b"tRNS" and len(chunk) >= 14:
                return int.from_bytes(chunk[8:10], "big") / ((1 << self.bit_depth) - 1)
        return None

    def plain(self) -> bytes:
        """Return the same picture as a PNG with nothing but pixels."""
        return SIGNATURE + b"".join(self.pixel_chunks)


def read_png(data: bytes) -> PngInfo:
    """Walk every chunk up to IEND and check its checksum.

    Raises:
        ImageError: a damaged chunk that matters to the pixels, or the file ends too early.
    """
    info = PngInfo()
    at, kind = len(SIGNATURE), b""
    has_pixels = False
    while kind != b"IEND":
        if at + 12 > len(data):
            raise _truncated()
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise _truncated()
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        intact = zlib.crc32(memoryview(data)[at + 4 : end - 4]) == checksum
        if kind in _PIXEL_CHUNKS:
            if not intact:
                raise ImageError(
                    f"damaged PNG: wrong checksum in {kind.decode('ascii')}",
                    hint="copy it again from the source",
                )
            info.pixel_chunks.append(data[at:end])
            has_pixels = has_pixels or kind == b"IDAT"
        if intact and kind != b"IDAT":
            _read_chunk(info, kind, data[at + 8 : end - 4])
        at = end
    if not has_pixels or not info.width:
        raise ImageError("PNG without image data", hint="the file is damaged")
    return info


def header_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk, before anything else is read."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise _truncated()
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _truncated() -> ImageError:
    return ImageError(
        "truncated PNG: the file ends before the picture does", hint="copy it again from the source"
    )


def _read_chunk(info: PngInfo, kind: bytes, payload: bytes) -> None:
    if kind == b"IHDR" and len(payload) == 13:
        info.width, info.height, info.bit_depth, info.colour_type = struct.unpack_from(
            ">IIBB", payload
        )
    elif kind == b"acTL" and len(payload) >= 4:
        info.frames = max(1, int.from_bytes(payload[:4], "big"))
    elif kind == b"eXIf":
        info.exif = payload
    elif kind == b"iCCP":
        info.icc = _inflate(payload.partition(b"\0")[2][1:])
    elif kind == b"iTXt" and payload.startswith(_XMP_KEYWORD):
        info.xmp = _international_text(payload[len(_XMP_KEYWORD) :])
    elif kind == b"pHYs" and len(payload) == 9:
        x, y, unit = struct.unpack(">IIB", payload)
        info.dpi = sane_dpi(x, y, 1 / _INCHES_PER_METRE) if unit == 1 else None


def _inflate(stream: bytes) -> bytes | None:
    """Return the inflated bytes; None if they are damaged, incomplete or absurdly many."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(stream, _MAX_INFLATED)
    except zlib.error:
        return None
    return content if inflater.eof else None


def _international_text(rest: bytes) -> bytes | None:
    compressed = rest[:1] == b"\1"
    parts = rest[2:].split(b"\0", 2)  # language, translated keyword, text
    if len(parts) < 3:
        return None
    return _inflate(parts[2]) if compressed else parts[2]


def add_metadata(data: bytes, metadata: Metadata) -> bytes:
    """Put metadata chunks behind the header of an encoded PNG."""
    chunks = b""
    if metadata.icc is not None:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.dpi is not None:
        x, y = (round(value * _INCHES_PER_METRE) for value in metadata.dpi)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", x, y, 1))
    if metadata.exif is not None:
        chunks += _chunk(b"eXIf", metadata.exif)
    if metadata.xmp is not None:
        chunks += _chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0" + metadata.xmp)
    return data[:33] + chunks + data[33:]


def _chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(payload, zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)
