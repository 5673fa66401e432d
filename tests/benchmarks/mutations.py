"""Files broken by rule: bytes that change anywhere, and fields of each format that change alone.

Everything is drawn from the generator that is passed in, so that a number names a mutation.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from restore_cli.imaging.iso_boxes import walk

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
EXTREMES = (0, 1, 2, 3, 4, 7, 8, 16, 24, 32, 64, 127, 128, 255, 256, 4096, 0x7FFF, 0x8000, 0xFFFF)
WIDE_EXTREMES = (0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
WORDS = (b"0", b"1", b"3", b"255", b"256", b"65535", b"65536", b"4294967297", b"-1", b"nan", b"")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a file that means something."""

    at: int
    size: int  # bytes
    order: str  # "<" or ">"

    def changed(self, data: bytes, rng: random.Random) -> bytes:
        """Return the data with another value here, near the old one or extreme."""
        kind = {1: "B", 2: "H", 4: "I", 8: "Q"}[self.size]
        (old,) = struct.unpack_from(self.order + kind, data, self.at)
        choices = [*EXTREMES, *WIDE_EXTREMES, old + 1, old - 1, old * 2, old // 2, old ^ 0x80]
        choices.append(rng.randrange(1 << 8 * self.size))
        value = rng.choice(choices) % (1 << 8 * self.size)
        block = bytearray(data)
        struct.pack_into(self.order + kind, block, self.at, value)
        return bytes(block)


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return a broken variant of a file.

    Args:
        data: the file.
        other: another one, to splice with.
        rng: what is drawn from.
    """
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        change = rng.choice(_CHANGES)
        data = change(data, other, rng) or data[:1]
    # Most checksums are made to fit, or few changes would come to the decoder.
    return _with_checksums(data) if rng.random() < 0.7 else data


def _flip(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    block = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        block[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(block)


def _place(data: bytes, rng: random.Random) -> int:
    """Return an offset, half of them near the beginning, where headers are."""
    return rng.randrange(min(len(data), 200) if rng.random() < 0.5 else len(data))


def _overwrite(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    at, size = _place(data, rng), rng.choice((1, 2, 4, 16, 200))
    filler = rng.choice((b"\0", b"\xff", bytes([rng.randrange(256)])))
    return data[:at] + filler * min(size, len(data) - at) + data[at + size :]


def _truncate(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    near_end = len(data) - rng.randrange(1, min(16, len(data)) + 1)
    return data[: rng.choice((_place(data, rng), near_end))]


def _remove(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 4, 13, 100)) :]


def _repeat(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at : at + rng.choice((1, 4, 12, 300))] + data[at:]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + other[rng.choice((at, _place(other, rng))) :]


def _number(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    """Change any aligned number."""
    size = rng.choice((2, 4, 8))
    if len(data) < 2 * size:
        return data
    at = min(_place(data, rng), len(data) - size)
    return Number(at, size, rng.choice("<>")).changed(data, rng)


def _field(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    """Change a number that the format gives a meaning."""
    for start, numbers in _FIELDS:
        if data.startswith(start):
            found = [number for number in numbers(data) if number.at + number.size <= len(data)]
            return rng.choice(found).changed(data, rng) if found else data
    if data[4:8] == b"ftyp" or data[4:8] == b"jP  ":
        found = list(_box_numbers(data))
        return rng.choice(found).changed(data, rng) if found else data
    return _words(data, rng) if re.match(rb"P[1-6fF]\s|YUV4MPEG2 ", data) else data


def _inner(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change the size that a picture claims inside of another file, such as a strip of a TIFF."""
    found = [
        Number(match.start() + offset, size, order)
        for start, offsets, size, order in _INNER
        for match in re.finditer(re.escape(start), data)
        for offset in offsets
        if match.start() + offset + size <= len(data)
    ]
    if not found:
        return _field(data, other, rng)
    wide = rng.random() < 0.5  # both sides at once: one alone often means nothing
    for number in rng.sample(found, min(len(found), 2 if wide else 1)):
        data = number.changed(data, rng)
    return data


# Where JPEG, JPEG 2000, WebP, AV1 and HEVC items say how large they are.
_INNER: tuple[tuple[bytes, tuple[int, ...], int, str], ...] = (
    (b"\xff\xc0", (5, 7), 2, ">"),
    (b"\xff\xc2", (5, 7), 2, ">"),
    (b"\xff\x4f\xff\x51", (8, 12, 24, 28), 4, ">"),
    (b"\x9d\x01\x2a", (3, 5), 2, "<"),
    (b"ispe", (8, 12), 4, ">"),
    (b"\x42\x01\x01", (3, 5, 7, 9, 11, 13, 15, 17), 2, ">"),  # HEVC's sequence parameters
    (b"\x0a\x0a\x18", (3, 4, 5, 6), 2, ">"),  # AV1's sequence header
)


def _parts(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change the chunks of a PNG, whose checksums are made to fit again."""
    if not data.startswith(PNG):
        return _field(data, other, rng)
    chunks = list(_png_chunks(data))
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    kind, payload = chunks[at]
    action = rng.randrange(5)
    if action == 0:
        del chunks[at]
    elif action == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[at])
    elif action == 2:
        rng.shuffle(chunks)
    elif kind == b"IDAT" and action == 3:
        chunks[at] = (kind, _repacked(payload, other, rng))
    elif payload:
        chunks[at] = (kind, rng.choice(_ANYWHERE)(payload, other, rng))
    return PNG + b"".join(_png_chunk(*chunk) for chunk in chunks)


def _repacked(payload: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change the rows of a PNG under their compression."""
    try:
        rows = zlib.decompressobj().decompress(payload, 1 << 20)
    except zlib.error:
        return payload
    return zlib.compress(rng.choice(_ANYWHERE)(rows, other, rng), 1) if rows else payload


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _png_chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(payload, zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def _words(data: bytes, rng: random.Random) -> bytes:
    """Replace one of the first words of a text header."""
    words = list(re.finditer(rb"[^\s]+", data[:80]))
    chosen = rng.choice(words)
    word = rng.choice((*WORDS, chosen[0] * 2, chosen[0][:1] + rng.choice(WORDS)))
    return data[: chosen.start()] + word + data[chosen.end() :]


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksums of its whole chunks; anything else as it is."""
    if not data.startswith(PNG):
        return data
    block, at = bytearray(data), len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", block, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(block)


def _png_numbers(data: bytes) -> Iterator[Number]:
    yield from (Number(at, 4, ">") for at in (16, 20))
    yield from (Number(at, 1, ">") for at in range(24, 29))
    at = len(PNG)
    for _, payload in _png_chunks(data):
        yield Number(at, 4, ">")
        at += 12 + len(payload)


def _jpeg_numbers(data: bytes) -> Iterator[Number]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        yield from (Number(at + 1, 1, ">"), Number(at + 2, 2, ">"))
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        is_table = data[at + 1] in range(0xC0, 0xE0)  # frames, scans, tables: every byte counts
        yield from (Number(at + 4 + k, 1, ">") for k in range(min(length - 2, 24) * is_table))
        if data[at + 1] == 0xDA:
            return
        at += 2 + length


def _tiff_numbers(data: bytes) -> Iterator[Number]:
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    wide, step, counts = (8, 20, 8) if is_big else (4, 12, 2)
    first = Number(8 if is_big else 4, wide, order)
    yield first
    at = int.from_bytes(data[first.at : first.at + wide], "little" if order == "<" else "big")
    if not 8 <= at < len(data) - counts:
        return
    yield Number(at, counts, order)
    count = int.from_bytes(data[at : at + counts], "little" if order == "<" else "big")
    for entry in range(at + counts, at + counts + step * min(count, 64), step):
        yield from (Number(entry, 2, order), Number(entry + 2, 2, order))
        yield from (Number(entry + 4, wide, order), Number(entry + 4 + wide, wide, order))
        yield Number(entry + 4 + wide, 2, order)  # a short one, as most values are
    yield Number(at + counts + step * count, wide, order)


def _riff_numbers(data: bytes) -> Iterator[Number]:
    yield Number(4, 4, "<")
    at = 12
    while at + 8 <= len(data):
        yield Number(at + 4, 4, "<")
        yield from (Number(at + 8 + k, 1, "<") for k in range(10))
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2


def _box_numbers(data: bytes) -> Iterator[Number]:
    """Yield the sizes of boxes and the first numbers in them."""
    for kind, body in walk(data):
        if not body:
            continue
        at = data.find(kind + body[:8])
        if at >= 4:
            yield Number(at - 4, 4, ">")
            inside = range(at + 4, min(at + 4 + len(body), at + 60, len(data)))
            yield from (Number(place, 1, ">") for place in inside)
            yield from (Number(place, 4, ">") for place in inside[:-4:4])


def _first_numbers(count: int, order: str) -> Callable[[bytes], Iterator[Number]]:
    def numbers(_data: bytes) -> Iterator[Number]:
        for size in (1, 2, 4):
            yield from (Number(at, size, order) for at in range(2, count, size))

    return numbers


_FIELDS: tuple[tuple[bytes, Callable[[bytes], Iterator[Number]]], ...] = (
    (PNG, _png_numbers),
    (JPEG, _jpeg_numbers),
    (b"II*\0", _tiff_numbers),
    (b"MM\0*", _tiff_numbers),
    (b"II+\0", _tiff_numbers),
    (b"MM\0+", _tiff_numbers),
    (b"RIFF", _riff_numbers),
    (b"BM", _first_numbers(60, "<")),
    (b"GIF8", _first_numbers(40, "<")),
    (b"8BPS", _first_numbers(60, ">")),
    (b"\x1aE\xdf\xa3", _first_numbers(400, ">")),  # Matroska
    (b"\xff\x4f\xff\x51", _first_numbers(100, ">")),  # JPEG 2000 without boxes
)
_ANYWHERE = (
    _flip,
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _truncate,
    _remove,
    _repeat,
    _splice,
    _number,
)
_CHANGES = (*_ANYWHERE, *[_field] * 6, *[_parts] * 3, _inner, _inner)
