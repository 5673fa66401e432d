import io
import struct

import numpy as np
import pytest
import tifffile

from restore_cli.errors import ImageError
from restore_cli.imaging.exif import pack_block
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.reading import decode_image
from restore_cli.imaging.writing import encode_image
from tests.unit.imaging.pictures import exif, smooth

GREY8 = np.arange(96, dtype=np.uint8).reshape(8, 12)


def tiff(*pages: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    container = {key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
    with tifffile.TiffWriter(buffer, **container) as file:
        for page in pages:
            file.write(page, metadata=None, **options)
    return buffer.getvalue()


def preview() -> bytes:
    """Return what cameras write: a small picture first, the raw data in a sub-directory."""
    words = {
        254: 1,
        256: 4,
        257: 4,
        258: 8,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: 4,
        279: 16,
        330: 8,
    }
    tags = [(tag, 4, 1, struct.pack("<I", word)) for tag, word in (words | {330: 8}).items()]
    return pack_block(tags, [], [])


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_containers(compression, byteorder, bigtiff):
    values = GREY8.astype(np.uint16) * 500
    data = tiff(values, compression=compression, byteorder=byteorder, bigtiff=bigtiff)
    image = decode_image(data)
    assert image.depth == "uint16"
    np.testing.assert_allclose(image.pixels[..., 0], values / 65535, atol=1e-7)


@pytest.mark.parametrize("layout", [{"planarconfig": "separate"}, {"tile": (16, 16)}, {}])
def test_layouts(layout):
    values = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    stored = np.moveaxis(values, 2, 0) if "planarconfig" in layout else values
    image = decode_image(tiff(stored, photometric="rgb", **layout))
    np.testing.assert_allclose(image.pixels, values / 255, atol=1e-7)


def test_white_is_zero():
    image = decode_image(tiff(GREY8, photometric="miniswhite"))
    np.testing.assert_allclose(image.pixels[..., 0], 1 - GREY8 / 255, atol=1e-6)


def test_palette():
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    image = decode_image(tiff(GREY8, photometric="palette", colormap=colours))
    assert image.depth == "uint8"
    np.testing.assert_allclose(image.pixels, colours.T[GREY8] / 65535, atol=1e-6)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floats(kind):
    values = (smooth() * 4 - 1).astype(kind)
    image = decode_image(tiff(values, photometric="rgb"))
    assert image.depth == "float32"
    np.testing.assert_array_equal(image.pixels, values.astype(np.float32))


def test_wide_integers_become_float():
    image = decode_image(tiff(np.full((4, 4), 2**31, np.uint32)))
    assert image.depth == "float32"
    np.testing.assert_allclose(image.pixels, 0.5, atol=1e-6)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_alpha(kind):
    colour, alpha = smooth(20, 24), 0.25 + smooth(20, 24, 1) / 2
    stored = np.concatenate([colour * (alpha if kind == "assocalpha" else 1), alpha], axis=2)
    values = np.rint(stored * 65535).astype(np.uint16)
    image = decode_image(tiff(values, photometric="rgb", extrasamples=[kind]))
    assert image.alpha is not None
    np.testing.assert_allclose(image.alpha, alpha, atol=1e-5)
    np.testing.assert_allclose(image.pixels, colour, atol=1e-4)


def test_further_channels_are_dropped_with_a_note():
    values = np.zeros((4, 5, 6), np.uint8)
    data = tiff(values, photometric="rgb", planarconfig="contig", extrasamples=[2, 0, 0])
    assert decode_image(data).notes == ("2 extra channels dropped",)


def test_lab():
    # L*, a*, b* of white, mid grey and sRGB red under D50.
    lab = np.array([[[255, 0, 0], [137, 0, 0], [138, 81, 70]]], np.uint8)
    image = decode_image(tiff(lab, photometric="cielab"))
    expected = [[1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0]]
    np.testing.assert_allclose(image.pixels[0], expected, atol=0.02)
    assert image.notes == ("Lab converted to sRGB",)


def test_pages_are_counted_without_thumbnails():
    assert decode_image(tiff(GREY8, GREY8)).notes == ("page 1 of 2 used",)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GREY8, metadata=None)
        file.write(GREY8[::2, ::2], subfiletype=1, metadata=None)
    assert decode_image(buffer.getvalue()).notes == ()


def test_another_writers_layout_note_is_not_carried_over():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY8)  # writes {"shape": [8, 12]} as the description
    again = encode_image(decode_image(buffer.getvalue()), format="tiff")
    assert b'{"shape"' not in again


def test_other_readers_see_the_tags():
    metadata = Metadata(exif=exif(1), dpi=(300, 300))
    data = encode_image(Image(smooth(), metadata=metadata), format="tiff")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        assert page.tags["Make"].value == "Example"
        assert page.tags["ExifTag"].value["DateTimeOriginal"] == "2024:05:01 12:00:00"
        assert page.tags["GPSTag"].value["GPSLatitudeRef"] == "N"
        np.testing.assert_allclose(page.asarray() / 255, smooth(), atol=0.003)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(GREY8, photometric="cfa", extratags=[(33421, 3, 2, (2, 2), True)]), "raw sensor"),
        (tiff(GREY8, extratags=[(50706, 1, 4, b"\1\4\0\0", True)]), "raw sensor"),
        (preview(), "only a preview"),
        (tiff(GREY8.astype(np.int16)), "type int16"),
        (tiff(GREY8.astype(np.complex64)), "type complex64"),
        (tiff(GREY8)[:-20], "truncated TIFF"),
        (b"II*\0", "damaged TIFF"),
        (tiff(GREY8).replace(b"\x15\1\3\0", b"\x15\1\2\0"), "tags contradict each other"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "0×0 pixels"),
        (b"MM\0*\xff\xff\xff\xff", "damaged TIFF"),
    ],
)
def test_errors(data, message):
    with pytest.raises(ImageError, match=message):
        decode_image(data)


def test_random_damage_is_an_image_or_an_image_error():
    rng = np.random.default_rng(0)
    original = tiff(np.tile(GREY8, (4, 4)), compression="zlib", predictor=True)
    for _ in range(400):
        damaged = bytearray(original)
        for position in rng.integers(0, len(damaged), 3):
            damaged[position] = rng.integers(0, 256)
        try:
            decode_image(bytes(damaged))
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
