from __future__ import annotations

import struct

import numpy as np

from restore_cli.imaging.heif.boxes import with_distinct_associations
from restore_cli.imaging.image import Image
from restore_cli.imaging.iso_boxes import walk
from restore_cli.imaging.reading import decode_image
from restore_cli.imaging.writing import encode_image
from tests.unit.imaging.pictures import smooth


def resized(block, kind, by):
    """Let a box claim so many bytes more."""
    at = block.index(kind) - 4
    size = int.from_bytes(block[at : at + 4], "big")
    block[at : at + 4] = struct.pack(">I", size + by)


def with_two_associations(data):
    """Give the second item of an AVIF an ``ipma`` box of its own, as old writers did."""
    block = bytearray(data)
    at = block.index(b"ipma") - 4
    size, _, flags, count = struct.unpack_from(">I4sII", block, at)
    assert (flags, count) == (0, 2)
    first = at + 16
    second = first + 3 + block[first + 2]  # an item's number, a count, and as many bytes
    parts = [bytes(block[first:second]), bytes(block[second : at + size])]
    block[at : at + size] = b"".join(
        struct.pack(">I4sII", 16 + len(part), b"ipma", 0, 1) + part for part in parts
    )
    for kind in (b"iprp", b"meta"):
        resized(block, kind, 16)
    iloc = block.index(b"iloc") + 4
    (items,) = struct.unpack_from(">H", block, iloc + 6)
    for place in range(iloc + 14, iloc + 14 + 14 * items, 14):
        struct.pack_into(">I", block, place, struct.unpack_from(">I", block, place)[0] + 16)
    return bytes(block)


def test_an_avif_with_two_boxes_of_associations_keeps_its_alpha():
    data = encode_image(Image(smooth(), smooth(channels=1)), format="avif")
    split = with_two_associations(data)
    assert [kind for kind, _ in walk(split)].count(b"ipma") == 2
    back, plain = decode_image(split), decode_image(data)
    np.testing.assert_array_equal(back.pixels, plain.pixels)
    np.testing.assert_array_equal(back.alpha, plain.alpha)
    assert with_distinct_associations(data) is data
