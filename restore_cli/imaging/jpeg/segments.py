"""Walks through the segments of a JPEG: checks that it is complete, reads and writes metadata.

Source: ITU-T T.81, annex B; ICC.1:2010, annex B.4; Exif 2.32, section 4.5; XMP part 3,
section 1.1.3.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import numpy as np

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Metadata
from restore_cli.imaging.jpeg.quality import estimate_quality
from restore_cli.imaging.metadata import sane_dpi

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_ICC = b"ICC_PROFILE\0"
_MAX_PAYLOAD = 65533
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_DECODABLE_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_STANDALONE = {0x01, *range(0xD0, 0xD9)}


@dataclass(slots=True)
class JpegInfo:
    """Facts from the segments; filled by ``read_jpeg``."""

    width: int = 0
    height: int = 0
    components: int = 0
    precision: int = 8
    adobe: bool = False  # four channels are then stored inverted
    quality: int | None = None
    has_more_pictures: bool = False  # previews or a gain map behind the first picture
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    icc_parts: dict[int, bytes] = field(default_factory=dict)

    def metadata(self) -> Metadata:
        parts = [self.icc_parts[k] for k in sorted(self.icc_parts)]
        return Metadata(self.exif, b"".join(parts) or None, self.xmp, self.dpi)


def read_jpeg(data: bytes) -> JpegInfo:
    """Walk every segment up to the end marker.

    Raises:
        ImageError: no picture in it, a kind no decoder here knows, or it ends too early.
    """
    info = JpegInfo()
    at, scans = 2, 0
    while True:
        at, marker = _next_marker(data, at)
        if marker == 0xD9:
            break
        if marker in _STANDALONE:
            continue
        end = at + (int.from_bytes(data[at : at + 2], "big") or 2)
        if at + 2 > len(data) or end > len(data):
            raise _truncated()
        _read_segment(info, marker, data[at + 2 : end])
        at = end
        if marker == 0xDA:
            scans += 1
            following = _AFTER_SCAN.search(data, at)
            if following is None:
                raise _truncated()
            at = following.start()
    if not info.components or not scans:
        raise ImageError("JPEG without a picture in it", hint="the file is damaged")
    return info


def claimed_size(data: bytes) -> tuple[int, int]:
    """Return the largest width and height that a frame header claims before the first scan."""
    at, width, height = 2, 0, 0
    try:
        while True:
            at, marker = _next_marker(data, at)
            if marker in (0xD9, 0xDA):
                return width, height
            if marker in _FRAMES and at + 7 <= len(data):
                rows, columns = struct.unpack_from(">HH", data, at + 3)
                width, height = max(width, columns), max(height, rows)
            if marker not in _STANDALONE:
                at += int.from_bytes(data[at : at + 2], "big") or 2
    except ImageError:  # it ends too early, as its decoder will say
        return width, height


def _truncated() -> ImageError:
    return ImageError(
        "truncated JPEG: the file ends before the picture does",
        hint="copy it again from the source",
    )


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the position behind the next marker, and its code; skip junk before it."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise _truncated()
        while at < len(data) and data[at] == 0xFF:
            at += 1
        if at == len(data):
            raise _truncated()
        if data[at]:
            return at + 1, data[at]


def _read_segment(info: JpegInfo, marker: int, payload: bytes) -> None:
    if marker in _FRAMES:
        _read_frame(info, marker, payload)
    elif marker == 0xDB and info.quality is None:
        info.quality = _luminance_quality(payload)
    elif marker == 0xE0 and payload.startswith(b"JFIF\0") and len(payload) >= 12:
        unit, x, y = struct.unpack_from(">BHH", payload, 7)
        info.dpi = sane_dpi(x, y, 2.54 if unit == 2 else 1.0) if unit in (1, 2) else None
    elif marker == 0xE1 and payload.startswith(_EXIF) and info.exif is None:
        info.exif = payload[len(_EXIF) :]
    elif marker == 0xE1 and payload.startswith(_XMP) and info.xmp is None:
        info.xmp = payload[len(_XMP) :]
    elif marker == 0xE2 and payload.startswith(_ICC) and len(payload) > 14:
        info.icc_parts.setdefault(payload[12], payload[14:])
    elif marker == 0xE2 and payload.startswith(b"MPF\0"):
        info.has_more_pictures = True
    elif marker == 0xEE and payload.startswith(b"Adobe"):
        info.adobe = True


def _read_frame(info: JpegInfo, marker: int, payload: bytes) -> None:
    if len(payload) < 6 or info.components:
        raise ImageError("JPEG with a damaged frame header", hint="copy it again from the source")
    precision, height, width, components = struct.unpack_from(">BHHB", payload)
    if marker not in _DECODABLE_FRAMES or precision != 8:
        raise ImageError(
            f"this kind of JPEG ({precision}-bit, type {marker - 0xC0}) is not supported",
            hint="convert it to PNG or TIFF first",
        )
    if components not in (1, 3, 4):
        raise ImageError(f"JPEG with {components} channels is not supported")
    info.width, info.height, info.components = width, height, components
    info.precision = precision


def _luminance_quality(payload: bytes) -> int | None:
    """Return the quality from table 0, the luminance table by custom; None if it is not here."""
    at = 0
    while at < len(payload):
        wide, slot = payload[at] >> 4, payload[at] & 15
        size = 128 if wide else 64
        values = payload[at + 1 : at + 1 + size]
        if len(values) < size:
            return None
        if slot == 0:
            return estimate_quality(np.frombuffer(values, ">u2" if wide else "u1").astype(np.int64))
        at += 1 + size
    return None


def add_metadata(data: bytes, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    """Put metadata in front of the tables of an encoded JPEG; return notes on what did not fit.

    Args:
        data: a JPEG that begins with SOI and a JFIF segment.
        metadata: what to add.
    """
    head = bytearray(data[:20])
    if metadata.dpi is not None and head[6:11] == b"JFIF\0":
        x, y = (min(65535, max(1, round(value))) for value in metadata.dpi)
        struct.pack_into(">BHH", head, 13, 1, x, y)
    segments, notes = b"", []
    for label, prefix, payload in (("EXIF", _EXIF, metadata.exif), ("XMP", _XMP, metadata.xmp)):
        if payload is None:
            continue
        if len(prefix) + len(payload) > _MAX_PAYLOAD:
            notes.append(f"{label} dropped: JPEG cannot hold more than 64 KiB of it")
            continue
        segments += _segment(0xE1, prefix + payload)
    segments += _icc_segments(metadata.icc or b"")
    return bytes(head) + segments + data[20:], tuple(notes)


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _icc_segments(icc: bytes) -> bytes:
    size = _MAX_PAYLOAD - 14
    parts = [icc[k : k + size] for k in range(0, len(icc), size)]
    return b"".join(
        _segment(0xE2, _ICC + bytes((k, len(parts))) + part) for k, part in enumerate(parts, 1)
    )
