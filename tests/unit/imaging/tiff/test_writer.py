from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import FORMATS
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.reading import decode_image, read_image
from restore_cli.imaging.tiff import layout
from restore_cli.imaging.tiff.layout import to_samples
from restore_cli.imaging.tiff.writer import write_rows
from restore_cli.imaging.writing import encode_with_notes, fitted
from tests.unit.imaging.pictures import RGB_PROFILE, XMP, exif

FULL = Metadata(exif(1), RGB_PROFILE, XMP, (300.0, 150.0))


def bands(image, depth, heights):
    top = 0
    for height in heights:
        rows = slice(top, top + height)
        alpha = None if image.alpha is None else image.alpha[rows]
        yield to_samples(image.pixels[rows], alpha, depth)
        top += height


def picture(rng, channels=3, has_alpha=False, metadata=FULL):
    alpha = rng.random((90, 50, 1), dtype=np.float32) if has_alpha else None
    pixels = rng.random((90, 50, channels), dtype=np.float32)
    return Image(pixels, alpha, metadata=metadata)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("heights", [[90], [1] * 90, [37, 16, 37]])
@pytest.mark.parametrize("strip_rows", [90, 7])
def test_the_bytes_are_those_of_the_whole(
    rng, tmp_path, monkeypatch, depth, channels, has_alpha, heights, strip_rows
):
    metadata = FULL if channels == 3 else Metadata(exif(1), None, XMP, (300.0, 150.0))
    image = picture(rng, channels, has_alpha, metadata)
    row_bytes = 50 * (channels + has_alpha) * np.dtype(depth).itemsize
    monkeypatch.setattr(layout, "_STRIP_BYTES", strip_rows * row_bytes)
    bits = {"uint8": 8, "uint16": 16, "float32": 32}[depth]
    whole, notes = encode_with_notes(image, format="tiff", bit_depth=bits)
    path = tmp_path / "a.tif"
    header, _, _ = fitted(image, FORMATS["tiff"], bits, strip_metadata=False)
    assert write_rows(path, header, depth, bands(image, depth, heights)) == notes == ()
    assert path.read_bytes() == whole


def test_bigtiff_has_the_same_exif(rng, tmp_path, monkeypatch):
    image = picture(rng)
    classic, _ = encode_with_notes(image, format="tiff", bit_depth=16)
    monkeypatch.setattr(layout, "_BIG_BYTES", 1000)
    path = tmp_path / "a.tif"
    header, _, _ = fitted(image, FORMATS["tiff"], 16, strip_metadata=False)
    notes = write_rows(path, header, "uint16", bands(image, "uint16", [90]))
    whole, whole_notes = encode_with_notes(image, format="tiff", bit_depth=16)
    assert notes == whole_notes == ()
    assert path.read_bytes() == whole
    assert (classic[:4], whole[:4]) == (b"II*\0", b"II+\0")
    before, after = decode_image(classic), decode_image(whole)
    assert before.metadata.exif is not None
    assert after.metadata == before.metadata
    np.testing.assert_array_equal(after.pixels, before.pixels)
    # As others read it.
    tags = [
        {tag.name: tag.value for tag in tifffile.TiffFile(io.BytesIO(data)).pages[0].tags}
        for data in (classic, whole)
    ]
    assert len(tags[0]["ExifTag"]) > 1
    for name in set(tags[0]) - {"StripOffsets", "StripByteCounts"}:
        assert str(tags[1][name]) == str(tags[0][name])


def test_damaged_exif_is_dropped(rng, tmp_path):
    image = picture(rng, metadata=Metadata(b"no block"))
    path = tmp_path / "a.tif"
    notes = write_rows(path, image, "uint8", bands(image, "uint8", [90]))
    assert notes == ("damaged EXIF dropped",)
    np.testing.assert_allclose(read_image(path).pixels, image.pixels, atol=0.51 / 255)


def test_a_failure_leaves_what_was_there(rng, tmp_path):
    image = picture(rng)
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")

    def failing():
        yield from bands(image, "uint8", [40])
        raise ImageError("damaged")

    with pytest.raises(ImageError, match="damaged"):
        write_rows(path, image, "uint8", failing())
    for heights in ([40], [90, 1]):
        more = picture(rng) if heights[-1] == 1 else image
        rows = [*bands(image, "uint8", heights[:1]), *bands(more, "uint8", heights[1:])]
        with pytest.raises(ValueError, match="rows for an image of 90"):
            write_rows(path, image, "uint8", rows)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]


def test_errors(rng, tmp_path):
    image = picture(rng)
    with pytest.raises(ImageError, match="cannot write: the folder does not exist"):
        write_rows(tmp_path / "gone" / "a.tif", image, "uint8", bands(image, "uint8", [90]))
