"""A folder of awkward files from many programs, where it is present: file → outcome.

A tuple is (format, depth, height, width, channels, a word of its note or ""); a string is
a word of its error.
"""

import numpy as np
import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.formats import writable_format
from restore_cli.imaging.reading import decode_image, read_image
from restore_cli.imaging.writing import encode_image
from tests.unit.imaging.pictures import ODD_FOLDER

pytestmark = pytest.mark.skipif(not ODD_FOLDER.is_dir(), reason="no folder of odd files")

EXPECTED: dict[str, tuple[str, str, int, int, int, str] | str] = {
    "OWN_UPPER.JPG": ("jpeg", "uint8", 200, 320, 3, ""),
    "animated_apng.png": ("png", "uint8", 245, 245, 4, "first of 41 frames"),
    "avif_12bit_422.avif": ("avif", "uint16", 800, 1204, 3, ""),
    "avif_8bit.avif": ("avif", "uint8", 800, 1204, 3, ""),
    "avif_alpha.avif": ("avif", "uint8", 128, 128, 4, ""),
    "bigtiff_small.tif": ("tiff", "uint8", 128, 128, 3, ""),
    "cmyk_icc.jpg": ("jpeg", "uint8", 333, 500, 3, "through the file's colour profile"),
    "cmyk_no_profile.jpg": ("jpeg", "uint8", 333, 500, 3, "without a usable profile"),
    "cmyk_small.jpg": ("jpeg", "uint8", 100, 100, 3, "without a usable profile"),
    "exif_Landscape_3.jpg": ("jpeg", "uint8", 1200, 1800, 3, ""),
    "exif_Landscape_6.jpg": ("jpeg", "uint8", 1200, 1800, 3, ""),
    "exif_Portrait_5.jpg": ("jpeg", "uint8", 1800, 1200, 3, ""),
    "exif_Portrait_6.jpg": ("jpeg", "uint8", 1800, 1200, 3, ""),
    "exif_dpi_zero_division.jpg": ("jpeg", "uint8", 200, 200, 3, ""),
    "float_grey.pfm": ("pfm", "float32", 128, 128, 1, ""),
    "gif_bomb.gif": "65535×66601 pixels",
    "grey16.pgm": ("pgm", "uint16", 128, 128, 1, ""),
    "heic_phone.heic": ("heic", "uint8", 854, 1280, 3, "first of 2"),
    "icc_prophoto_1x1.png": ("png", "uint8", 1, 1, 3, ""),
    "jpg_corrupt_header.jpg": "JPEG",
    "jpg_grey.jpg": ("jpeg", "uint8", 128, 128, 1, ""),
    "jpg_junk_header.jpg": ("jpeg", "uint8", 768, 1024, 3, "slightly damaged"),
    "own name with spaces, ünïcode & (brackets) [1].jpeg": ("jpeg", "uint8", 417, 637, 3, ""),
    "own_1bit.png": ("png", "uint8", 417, 637, 1, ""),
    "own_1x1.png": ("png", "uint8", 1, 1, 3, ""),
    "own_5x3.png": ("png", "uint8", 3, 5, 3, ""),
    "own_7x3001.png": ("png", "uint8", 3001, 7, 3, ""),
    "own_animated.gif": ("gif", "uint8", 300, 400, 3, "first of 3 frames"),
    "own_bigtiff_3pages.tif": ("tiff", "uint8", 200, 300, 3, "page 1 of 3"),
    "own_black.png": ("png", "uint8", 256, 512, 3, ""),
    "own_empty.png": "the file is empty",
    "own_float32_hdr_nan.tif": ("tiff", "float32", 240, 300, 3, ""),
    "own_grey.png": ("png", "uint8", 417, 637, 1, ""),
    "own_header_only_bomb.png": "200000×200000 pixels",
    "own_palette64.png": ("png", "uint8", 417, 637, 3, ""),
    "own_png_named.jpg": ("png", "uint8", 201, 233, 3, "the name says JPEG"),
    "own_q8.jpg": ("jpeg", "uint8", 417, 637, 3, ""),
    "own_rgb16_noisy.png": ("png", "uint16", 240, 300, 3, ""),
    "own_text.png": "text, not an image",
    "own_white.png": ("png", "uint8", 257, 513, 3, ""),
    "photoshop.psd": ("psd", "uint8", 128, 128, 3, "layers flattened"),
    "png16_icc_v4_linear.png": ("png", "uint16", 64, 64, 3, ""),
    "png_65536x65536.png": "65536×65536 pixels",
    "png_broken_stream.png": "damaged PNG",
    "png_text_bomb.png": ("png", "uint8", 1, 1, 1, ""),
    "png_truncated.png": "truncated PNG",
    "pngsuite_PngSuite.png": ("png", "uint8", 256, 256, 3, ""),
    "pngsuite_basn0g16.png": ("png", "uint16", 32, 32, 1, ""),
    "pngsuite_basn3p01.png": ("png", "uint8", 32, 32, 3, ""),
    "pngsuite_basn4a16.png": ("png", "uint16", 32, 32, 2, ""),
    "pngsuite_s01n3p01.png": ("png", "uint8", 1, 1, 3, ""),
    "pngsuite_s07i3p02.png": ("png", "uint8", 7, 7, 3, ""),
    "pngsuite_xdtn0g01.png": "PNG without image data",
    "pngsuite_xhdn0g08.png": "wrong checksum in IHDR",
    "pngsuite_xs1n0g01.png": "broken signature",
    "tiff_fax_2pages.tif": ("tiff", "uint8", 3248, 2464, 1, "page 1 of 2"),
    "tiff_gray16_bigendian.tif": ("tiff", "uint16", 64, 64, 1, ""),
    "tiff_lab_hopper.tif": ("tiff", "uint8", 128, 128, 3, "Lab converted"),
    "tiff_multipage_tiny.tif": ("tiff", "uint8", 10, 10, 3, "page 1 of 3"),
    "tiff_rgb16.tif": ("tiff", "uint16", 151, 157, 3, ""),
    "tiff_tiled_cmyk.tif": ("tiff", "uint8", 367, 490, 3, "without a usable profile"),
    "webp_alpha.webp": ("webp", "uint8", 300, 300, 4, ""),
    "webp_animated.webp": ("webp", "uint8", 285, 370, 4, "first of 10 frames"),
}
LARGE = {
    "jpg_20000x14000.jpg": ("jpeg", "uint8", 14000, 20000, 1, ""),
    "own_24mp.jpg": ("jpeg", "uint8", 4016, 6016, 3, ""),
}


def test_every_file_has_an_expectation():
    files = {path.name for path in ODD_FOLDER.iterdir()} - {"README.md"}
    assert files == set(EXPECTED) | set(LARGE)


def check_reading(name, expected):
    image = read_image(ODD_FOLDER / name)
    channels = image.pixels.shape[2] + (image.alpha is not None)
    seen = (image.format, image.depth, image.height, image.width, channels)
    assert seen == expected[:5]
    assert any(expected[5] in note for note in image.notes) if expected[5] else not image.notes
    return image


@pytest.mark.parametrize("name", EXPECTED)
def test_values(name, capfd):
    expected = EXPECTED[name]
    if isinstance(expected, str):
        with pytest.raises(ImageError, match=expected) as caught:
            read_image(ODD_FOLDER / name)
        assert caught.value.hint
        assert "\n" not in str(caught.value)
        assert capfd.readouterr() == ("", "")
        return
    image = check_reading(name, expected)
    back = decode_image(encode_image(image, format=writable_format(image)))
    assert capfd.readouterr() == ("", "")
    assert back.pixels.shape == image.pixels.shape
    assert back.depth == image.depth
    assert (back.metadata.icc, back.metadata.xmp) == (image.metadata.icc, image.metadata.xmp)
    visible = np.isfinite(image.pixels).all(axis=2)
    if image.alpha is not None:
        visible &= image.alpha[..., 0] > 0
    assert float(np.abs(back.pixels[visible] - image.pixels[visible]).mean()) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_files_are_read(name):
    check_reading(name, LARGE[name])
