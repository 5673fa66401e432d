import struct

import numpy as np
import pytest

from restore_cli.imaging import exif as exif_block
from restore_cli.imaging.image import Metadata
from restore_cli.imaging.metadata import (
    BROKEN_EXIF,
    exif_dpi,
    exif_orientation,
    fitting_icc,
    icc_channels,
    orient,
    upright_metadata,
    with_size,
)
from tests.unit.imaging.pictures import RGB_PROFILE, XMP, exif, smooth

# Where the stored top left corner belongs: (bottom?, right?); Exif 2.32, section 4.6.4.
CORNERS = {
    1: (False, False),
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(1, 5, 3), (5, 1, 3), (1, 1, 1)])
def test_no_negative_strides_along_a_side_of_one_pixel(orientation, shape):
    assert min(orient(np.zeros(shape, np.float32), orientation).strides) > 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orient(orientation):
    stored = smooth(4, 6)
    upright = orient(stored, orientation)
    assert upright.shape == ((6, 4, 3) if orientation >= 5 else (4, 6, 3))
    bottom, right = CORNERS[orientation]
    np.testing.assert_array_equal(upright[-1 if bottom else 0, -1 if right else 0], stored[0, 0])
    first_row = stored[0, 1]  # the neighbour along the stored row
    row, column = (1, 0) if orientation >= 5 else (0, 1)
    row, column = (-1 - row if bottom else row), (-1 - column if right else column)
    np.testing.assert_array_equal(upright[row, column], first_row)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_tag_is_read_and_reset(orientation):
    metadata, found, notes = upright_metadata(Metadata(exif=exif(orientation), xmp=XMP))
    assert found == orientation
    assert exif_orientation(metadata.exif) == 1
    assert metadata.xmp == XMP.replace(b'"6"', b'"1"')
    assert notes == ()


def test_big_endian_and_prefixed_blocks_are_understood():
    block = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x112, 3, 1, 6, 0, 0)
    metadata, found, _ = upright_metadata(Metadata(exif=b"Exif\0\0" + block))
    assert found == 6
    assert metadata.exif is not None
    assert metadata.exif[:2] == b"MM"
    assert exif_orientation(metadata.exif) == 1


def with_thumbnail(picture: bytes, tail: bytes = b"") -> bytes:
    block = exif(6)
    at = len(block)
    directory = exif_block.pack_directory(
        [
            (0x0201, 4, 1, struct.pack("<I", at + 30)),
            (0x0202, 4, 1, struct.pack("<I", len(picture))),
        ],
        at,
    )
    assert len(directory) == 30
    main = exif_block.first_directory(block)
    linked = bytearray(block)
    struct.pack_into("<I", linked, main.next_at, at)
    return bytes(linked) + directory + picture + tail


def test_the_thumbnail_is_removed():
    metadata, _, _ = upright_metadata(Metadata(exif=with_thumbnail(b"old picture")))
    assert metadata.exif is not None
    assert b"old picture" not in metadata.exif
    assert exif_block.first_directory(metadata.exif).next == 0
    assert len(metadata.exif) == len(exif())


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"MM\0*\0\0\xff\xff", b"nonsense" * 9, b"II*\0\x08\0\0\0\xff\xff"]
)
def test_broken_exif_is_dropped_with_a_note(block):
    metadata, orientation, notes = upright_metadata(Metadata(exif=block))
    assert (metadata.exif, orientation) == (None, 1)
    assert notes == ((BROKEN_EXIF,) if block else ())


def test_random_damage_never_fails():
    rng = np.random.default_rng(0)
    original = with_thumbnail(b"x" * 50)
    for _ in range(2000):
        block = bytearray(original)
        for position in rng.integers(0, len(block), 4):
            block[position] = rng.integers(0, 256)
        metadata, orientation, _ = upright_metadata(Metadata(exif=bytes(block)))
        assert 1 <= orientation <= 8
        if metadata.exif is not None:
            with_size(metadata.exif, 10, 20)
            exif_dpi(metadata.exif)


def test_with_size_sets_the_dimensions():
    block = with_size(exif(), 4000, 3000)
    main = exif_block.first_directory(block)
    sub = exif_block.sub_directory(block, main, exif_block.EXIF_IFD)
    assert sub is not None
    assert exif_block.integer(block, sub, exif_block.PIXEL_WIDTH) == 4000
    assert exif_block.integer(block, sub, exif_block.PIXEL_HEIGHT) == 3000
    assert len(block) == len(exif())


@pytest.mark.parametrize(
    ("x", "unit", "expected"),
    [((300, 1), 2, (300, 300)), ((100, 1), 3, (254, 254)), ((300, 0), 2, None), ((1, 1), 1, None)],
)
def test_resolution(x, unit, expected):
    value = struct.pack("<II", *x)
    tags = [(0x11A, 5, 1, value), (0x11B, 5, 1, value), (0x128, 3, 1, struct.pack("<H", unit))]
    assert exif_dpi(exif_block.pack_block(tags, [], [])) == expected


def test_a_profile_must_fit_the_channels():
    assert icc_channels(RGB_PROFILE) == 3
    assert fitting_icc(RGB_PROFILE, 3) == (RGB_PROFILE, ())
    profile, notes = fitting_icc(RGB_PROFILE, 1)
    assert profile is None
    assert "profile dropped" in notes[0]
    assert fitting_icc(b"short", 3)[0] is None
    assert fitting_icc(None, 3) == (None, ())
