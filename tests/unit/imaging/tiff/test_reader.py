from __future__ import annotations

import itertools

import numpy as np
import pytest
import tifffile

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.reading import decode_image, read_image
from restore_cli.imaging.tiff import segments as tiff_segments
from restore_cli.imaging.tiff.reader import TiffReader
from restore_cli.imaging.writing import write_image
from tests.unit.imaging.pictures import RGB_PROFILE, exif

HEIGHT, WIDTH = 83, 70
WINDOWS = [(0, 83, 0, 70), (0, 1, 0, 1), (82, 83, 69, 70), (13, 61, 5, 50), (30, 83, 40, 70)]


@pytest.fixture
def stored(tmp_path, rng):
    """Write a page of noise; return its path."""

    def write(kind="uint16", channels=3, values=None, **options):
        if values is None:
            shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
            values = rng.random(shape)
            is_float = kind.startswith("float")
            values = (values * 3 - 1 if is_float else values * np.iinfo(kind).max).astype(kind)
        container = {key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
        options = {"photometric": "rgb" if channels > 2 else "minisblack", **options}
        path = tmp_path / "stored.tif"
        with tifffile.TiffWriter(path, **container) as file:
            file.write(values, metadata=None, **options)
        return path

    return write


def assert_windows_are_the_image(path, atol=0):
    whole = read_image(path)
    with TiffReader(path) as reader:
        header = reader.header
        assert (header.pixels.shape, header.depth) == (whole.pixels.shape, whole.depth)
        assert (header.metadata, header.notes) == (whole.metadata, whole.notes)
        assert (header.format, header.lossless) == (whole.format, whole.lossless)
        height, width = whole.height, whole.width
        for top, bottom, left, right in WINDOWS:
            if height < width:  # turned
                top, bottom, left, right = left, right, top, bottom
            pixels, alpha = reader.read(top, bottom, left, right)
            expected = whole.pixels[top:bottom, left:right]
            np.testing.assert_allclose(pixels, expected, rtol=0, atol=atol)
            assert (alpha is None) == (whole.alpha is None) == (header.alpha is None)
            if whole.alpha is not None:
                np.testing.assert_array_equal(alpha, whole.alpha[top:bottom, left:right])
        assert header.pixels.shape == (height, width, whole.pixels.shape[2])


LAYOUTS = [{}, {"rowsperstrip": 7}, {"tile": (16, 32)}]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "compression",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": 2},
        {"compression": "lzw", "predictor": 2},
        {"compression": "zstd"},
        {"compression": "packbits"},
        {"compression": "lzma"},
    ],
)
def test_values(stored, layout, compression):
    assert_windows_are_the_image(stored(**layout, **compression))


@pytest.mark.parametrize(
    ("kind", "channels"), list(itertools.product(["uint8", "uint16", "float32"], [1, 2, 3, 4]))
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_depths_and_channels(stored, kind, channels, compression):
    extra = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    if channels > 1:
        extra["planarconfig"] = "contig"
    options = {"compression": compression, "rowsperstrip": 11, **extra}
    assert_windows_are_the_image(stored(kind, channels, **options))


@pytest.mark.parametrize("kind", ["float16", "float64", "uint32"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_containers(stored, kind, byteorder, bigtiff):
    for compression in (None, "zlib"):
        options = {"byteorder": byteorder, "bigtiff": bigtiff, "compression": compression}
        assert_windows_are_the_image(stored(kind, **options))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(stored, orientation):
    tag = (274, 3, 1, orientation, True)
    path = stored(tile=(16, 32), compression="zlib", extratags=[tag])
    assert_windows_are_the_image(path)
    with TiffReader(path) as reader:
        assert (reader.header.width > reader.header.height) == (orientation >= 5)


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "miniswhite", "channels": 1},
        {"photometric": "separated", "channels": 4, "kind": "uint8"},
        {"channels": 4, "extrasamples": ["assocalpha"]},
        {"channels": 6, "extrasamples": [2, 0, 0], "planarconfig": "contig"},
        {"kind": "uint8", "compression": "jpeg", "tile": (32, 32)},
        {"kind": "uint8", "compression": "webp", "tile": (32, 32)},
        {"kind": "uint8", "channels": 1, "compression": "jpeg2000", "tile": (32, 32)},
    ],
)
def test_kinds_of_pixels(stored, options):
    assert_windows_are_the_image(stored(**options))


def test_lab_to_float_rounding(stored):
    # A matrix product rounds by the shape of what it is given.
    assert_windows_are_the_image(stored("uint8", photometric="cielab"), atol=1e-6)


def test_palette(stored, rng):
    colours = rng.integers(0, 2**16, (3, 256)).astype(np.uint16)
    assert_windows_are_the_image(
        stored("uint8", 1, photometric="palette", colormap=colours, compression="zlib")
    )


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_apart(stored, rng, compression):
    values = rng.integers(0, 256, (3, HEIGHT, WIDTH), dtype=np.uint8)
    options = {"planarconfig": "separate", "compression": compression, "rowsperstrip": 9}
    assert_windows_are_the_image(stored(values=values, **options))


def test_tiles_left_out_are_background(stored, tmp_path, rng):
    path = tmp_path / "sparse.tif"
    tile = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    tiles = (None if index % 3 else tile for index in range(9))
    with tifffile.TiffWriter(path) as file:
        file.write(
            iter(t.tobytes() if t is not None else b"" for t in tiles),
            shape=(HEIGHT, WIDTH, 3), dtype="uint8", tile=(32, 32), photometric="rgb",
            metadata=None,
        )  # fmt: skip
    assert_windows_are_the_image(path)


def test_metadata_and_notes(stored, tmp_path):
    options = {"iccprofile": RGB_PROFILE, "resolution": (300, 200), "resolutionunit": "INCH"}
    path = stored(**options, extratags=[(700, 1, 7, b"<x:xmp>", True)])
    data = path.read_bytes()
    assert decode_image(data).metadata.icc
    assert_windows_are_the_image(path)
    odd = tmp_path / "odd.png"
    odd.write_bytes(data)
    assert_windows_are_the_image(odd)


def test_segments_are_decoded_once_while_they_fit(stored, monkeypatch):
    path = stored(rowsperstrip=10, compression="zlib")
    decoded = []
    original = tiff_segments.TiffPage.decode.func

    def counted(page):
        decode = original(page)
        return lambda data, index, **more: (decoded.append(index), decode(data, index, **more))[1]

    monkeypatch.setattr(tiff_segments.TiffPage.decode, "func", counted)
    with TiffReader(path) as reader:
        for left in range(0, WIDTH, 10):
            reader.read(5, 25, left, left + 10)
        assert decoded == [0, 1, 2]
        reader.segments.cache_bytes = reader.segments.segment_bytes
        reader.read(50, 70, 0, 10)
        reader.read(50, 70, 10, 20)
        assert decoded == [0, 1, 2, 5, 6, 5, 6]


def test_what_cannot_be_read_in_parts(stored, monkeypatch, tmp_path):
    monkeypatch.setattr(tiff_segments, "MAX_SEGMENT_BYTES", 5000)
    with pytest.raises(ValueError, match="can only be decoded whole"):
        TiffReader(stored(compression="zlib", rowsperstrip=HEIGHT))
    with TiffReader(stored()) as reader:  # one strip, but not compressed
        assert reader.segments.segment_bytes == 0
    other = tmp_path / "a.tif"
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match="not a TIFF"):
        TiffReader(other)


def test_errors(stored, tmp_path):
    with pytest.raises(ImageError, match="cannot read: No such file"):
        TiffReader(tmp_path / "gone.tif")
    path = stored(compression="zlib", rowsperstrip=10)
    data = bytearray(path.read_bytes())
    with TiffReader(path) as reader:
        reader.read(0, HEIGHT, 0, WIDTH)
        at = reader._page.dataoffsets[4]
    data[at : at + 40] = bytes(40)
    path.write_bytes(data)
    with TiffReader(path) as reader:
        reader.read(0, 40, 0, WIDTH)
        with pytest.raises(ImageError, match=r"stored\.tif: damaged TIFF"):
            reader.read(0, 50, 0, WIDTH)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match="truncated"):
        TiffReader(path)


def test_the_size_limit_holds_for_hollow_files_and_where_it_is_set(stored, monkeypatch, tmp_path):
    path = tmp_path / "hollow.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(
            iter([b""] * 400), shape=(20480, 20480), dtype="uint8", tile=(1024, 1024),
            photometric="minisblack", metadata=None,
        )  # fmt: skip
    with pytest.raises(ImageError, match="over the limit of 300 megapixels"):
        TiffReader(path)
    path = stored()
    TiffReader(path).close()
    monkeypatch.setenv("RESTORE_MAX_PIXELS", "5000")
    with pytest.raises(ImageError, match="set RESTORE_MAX_PIXELS=5810"):
        TiffReader(path)


def test_exif_of_a_file(tmp_path, rng):
    path = tmp_path / "a.tif"
    image = Image(rng.random((HEIGHT, WIDTH, 3), dtype=np.float32), metadata=Metadata(exif(1)))
    write_image(path, image)
    assert_windows_are_the_image(path)
    assert read_image(path).metadata.exif
