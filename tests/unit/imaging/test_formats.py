from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging import exif as exif_block
from restore_cli.imaging.formats import DEPTHS, FORMATS, format_for, output_format, writable_format
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.metadata import exif_orientation, orient
from restore_cli.imaging.pixels import MAXIMA
from restore_cli.imaging.reading import decode_image, read_image
from restore_cli.imaging.writing import encode_image, encode_with_notes, write_image
from tests.unit.imaging.pictures import FORMATS_FOLDER, RGB_PROFILE, XMP, exif, smooth

WRITABLE = [name for name, row in FORMATS.items() if row.encode is not None]
LOSSLESS = {"png", "tiff", "bmp", "jp2", "webp"}
STEPS = {"uint8": 0.51 / 255, "uint16": 0.51 / 65535, "float32": 0.0}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "depth"), [(name, depth) for name in WRITABLE for depth in FORMATS[name].depths]
)
def test_depth_survives(name, depth, channels):
    image = Image(smooth(24, 40, channels), depth=depth)
    data, notes = encode_with_notes(image, format=name)
    back = decode_image(data)
    assert (back.format, back.depth, back.alpha) == (name, depth, None)
    wide = name == "webp"  # it knows no grey
    assert back.pixels.shape == (24, 40, 3 if wide else channels)
    tolerance = STEPS[depth] if name in LOSSLESS else 8 / 255
    np.testing.assert_allclose(
        back.pixels, np.broadcast_to(image.pixels, back.pixels.shape), atol=tolerance
    )
    assert notes == (
        ("16 bits reduced to 12: AVIF holds 12",) if (name, depth) == ("avif", "uint16") else ()
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [name for name in WRITABLE if FORMATS[name].alpha])
def test_alpha_survives(name, channels):
    alpha = smooth(24, 40, 1)
    depth = FORMATS[name].depths[-1]
    image = Image(smooth(24, 40, channels), alpha, depth=depth)
    back = decode_image(encode_image(image, format=name))
    assert back.alpha is not None
    np.testing.assert_allclose(back.alpha, alpha, atol=STEPS[depth] if name in LOSSLESS else 0.02)
    if name in ("png", "tiff"):
        assert back.is_grey == image.is_grey


def test_alpha_is_dropped_with_a_note_where_there_is_no_room():
    image = Image(smooth(), smooth(channels=1))
    data, notes = encode_with_notes(image, format="jpeg")
    assert notes == ("alpha dropped: JPEG cannot hold it",)
    assert decode_image(data).alpha is None


@pytest.mark.parametrize("name", WRITABLE)
def test_metadata_survives(name):
    source = Metadata(exif(), RGB_PROFILE, XMP.replace(b'"6"', b'"1"'), (300.0, 240.0))
    data, notes = encode_with_notes(Image(smooth(), metadata=source), format=name)
    back = decode_image(data)
    keeps = FORMATS[name].keeps
    assert back.metadata.icc == (RGB_PROFILE if "icc" in keeps else None)
    assert back.metadata.xmp == (source.xmp if "xmp" in keeps else None)
    assert (back.metadata.exif is not None) == ("exif" in keeps)
    if "dpi" in keeps:
        assert back.metadata.dpi == pytest.approx((300, 240), abs=0.02)
    if back.metadata.exif is not None:
        block = back.metadata.exif
        main = exif_block.first_directory(block)
        assert main.entries[0x010F].value == b"Example\0"
        sub = exif_block.sub_directory(block, main, exif_block.EXIF_IFD)
        assert sub is not None
        assert sub.entries[0x9003].value == b"2024:05:01 12:00:00\0"
        assert exif_block.sub_directory(block, main, exif_block.GPS_IFD) is not None
    labels = {"exif": "EXIF", "icc": "colour profile", "xmp": "XMP"}
    expected = {
        f"{labels[kind]} dropped: not written into {FORMATS[name].title}"
        for kind in labels
        if kind not in keeps
    }
    assert set(notes) == expected


def test_a_profile_of_several_segments_survives_in_jpeg():
    profile = RGB_PROFILE + bytes(200_000)
    image = Image(smooth(), metadata=Metadata(icc=profile))
    assert decode_image(encode_image(image, format="jpeg")).metadata.icc == profile


def test_too_much_xmp_for_a_jpeg_is_a_note():
    image = Image(smooth(), metadata=Metadata(xmp=b"x" * 70_000))
    assert "XMP dropped" in encode_with_notes(image, format="jpeg")[1][0]


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(name, orientation):
    source = Image(smooth(), metadata=Metadata(exif=exif(orientation)), depth="uint8")
    data = encode_image(source, format=name, quality=100)
    back = decode_image(data)
    assert back.pixels.shape[:2] == ((40, 24) if orientation >= 5 else (24, 40))
    assert exif_orientation(back.metadata.exif) == 1
    again = decode_image(encode_image(back, format=name, quality=100))
    np.testing.assert_allclose(again.pixels, back.pixels, atol=4 / 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_by_its_boxes_only(orientation):
    plain = decode_image(encode_image(Image(smooth()), format="avif", quality=100))
    source = Image(smooth(), metadata=Metadata(exif=exif(orientation)))
    back = decode_image(encode_image(source, format="avif", quality=100))
    assert back.pixels.shape[:2] == ((40, 24) if orientation >= 5 else (24, 40))
    np.testing.assert_allclose(back.pixels, orient(plain.pixels, orientation), atol=2 / 255)
    assert exif_orientation(back.metadata.exif) == 1


@pytest.mark.parametrize(
    "path", sorted(FORMATS_FOLDER.glob("exif_orientation_*.jpg")), ids=lambda path: path.stem
)
def test_turned_samples_come_out_upright(path):
    upright = read_image(FORMATS_FOLDER / "rgb16.png").pixels
    image = read_image(path)
    assert image.pixels.shape == upright.shape
    assert float(np.abs(image.pixels - upright).mean()) < 0.02


def test_written_exif_has_the_written_size():
    image = Image(smooth(), metadata=Metadata(exif=exif())).with_pixels(smooth(48, 80))
    block = decode_image(encode_image(image, format="jpeg")).metadata.exif
    assert block is not None
    sub = exif_block.sub_directory(block, exif_block.first_directory(block), exif_block.EXIF_IFD)
    assert sub is not None
    assert exif_block.integer(block, sub, exif_block.PIXEL_WIDTH) == 80


def test_strip_metadata_keeps_only_the_profile():
    source = Image(smooth(), metadata=Metadata(exif(), RGB_PROFILE, XMP, (300, 300)))
    for name in ("png", "jpeg", "tiff", "webp"):
        back = decode_image(encode_image(source, format=name, strip_metadata=True)).metadata
        assert (back.exif, back.icc, back.xmp) == (None, RGB_PROFILE, None)


def test_an_rgb_profile_is_not_written_beside_grey():
    source = Image(smooth(channels=1), metadata=Metadata(icc=RGB_PROFILE))
    data, notes = encode_with_notes(source, format="png")
    assert decode_image(data).metadata.icc is None
    assert "profile dropped" in notes[0]


def test_depth_is_reduced_with_a_note():
    deep = Image(smooth(), depth="uint16")
    data, notes = encode_with_notes(deep, format="webp")
    assert notes == ("16 bits reduced to 8: WebP holds 8",)
    assert decode_image(data).depth == "uint8"
    hdr = Image(smooth() * 2, depth="float32")
    notes = encode_with_notes(hdr, format="png")[1]
    assert notes == (
        "32-bit float reduced to 16: PNG holds 16",
        "values above 1 clipped: PNG cannot hold them",
    )


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_bit_depth_is_obeyed(bits):
    data, notes = encode_with_notes(Image(smooth()), format="tiff", bit_depth=bits)
    assert decode_image(data).depth == DEPTHS[bits]
    assert notes == ()


def test_hdr_range_survives_in_tiff():
    pixels = smooth() * 5 - 1
    pixels[3, 4] = np.nan
    back = decode_image(encode_image(Image(pixels, depth="float32"), format="tiff"))
    np.testing.assert_array_equal(back.pixels, pixels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "webp", "bit_depth": 16}, "WebP cannot hold 16 bits"),
        ({"format": "png", "bit_depth": 12}, "PNG cannot hold 12 bits"),
        ({"format": "gif"}, "cannot write format 'gif'"),
        ({"format": "nonsense"}, "cannot write format"),
        ({"format": "jpeg", "quality": 0}, "quality 0"),
        ({"format": "jpeg", "quality": 101}, "quality 101"),
    ],
)
def test_errors(options, message):
    with pytest.raises(UsageError, match=message):
        encode_image(Image(smooth()), **options)


def test_format_for():
    assert format_for("a.JPG") == "jpeg"
    assert format_for("a.tif") == "tiff"
    assert format_for("a") is None
    assert format_for("-") is None
    for name in ("a.xyz", "a.gif"):
        with pytest.raises(ImageError, match="cannot write"):
            format_for(name)


def test_output_format_follows_request_then_suffix_then_source():
    webp = Image(smooth(), format="webp")
    assert output_format(webp, "a.png", "tif") == "tiff"
    assert output_format(webp, "a.png") == "png"
    assert output_format(webp, "-") == "webp"
    assert output_format(replace(webp, format="gif"), "-") == "png"
    assert writable_format(replace(webp, format="pfm", depth="float32")) == "tiff"
    assert writable_format(replace(webp, format="pgm", depth="uint16")) == "png"


def test_jpeg_quality_is_kept_but_not_below_90():
    sizes = {
        quality: len(encode_image(Image(smooth(200, 300), quality=quality), format="jpeg"))
        for quality in (10, 90, 98)
    }
    assert sizes[10] == sizes[90] < sizes[98]
    back = decode_image(encode_image(Image(smooth(), quality=98), format="jpeg"))
    assert back.quality == 98


def test_lossless_webp_stays_lossless():
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.float32) / 255
    exact = decode_image(encode_image(Image(noise), format="webp"))
    assert exact.lossless
    np.testing.assert_allclose(exact.pixels, noise, atol=1e-6)
    lossy = decode_image(encode_image(Image(noise, lossless=False), format="webp"))
    assert not lossy.lossless


def test_content_decides_and_a_wrong_name_is_noted(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(encode_image(Image(smooth()), format="png"))
    image = read_image(path)
    assert image.format == "png"
    assert image.notes == ("the name says JPEG, the content is PNG",)


def test_write_then_read(tmp_path):
    path = tmp_path / "out.tif"
    assert write_image(path, Image(smooth(), depth="uint16")) == ()
    assert read_image(path).depth == "uint16"
    write_image(tmp_path / "noext", Image(smooth(), format="webp"))
    assert read_image(tmp_path / "noext").format == "webp"


@pytest.mark.parametrize("path", ["absent.png", "."])
def test_reading_what_is_not_there(tmp_path, path):
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / path)
    assert caught.value.path == str(tmp_path / path)
    assert caught.value.hint


def test_errors_name_the_stream():
    with pytest.raises(ImageError) as caught:
        decode_image(b"")
    assert str(caught.value).startswith("<stdin>: the file is empty")


def test_cmyk_has_the_right_polarity():
    rgb = read_image(FORMATS_FOLDER / "rgb16.png").pixels
    for name in ("cmyk.jpg", "cmyk.tif"):
        image = read_image(FORMATS_FOLDER / name)
        assert float(np.abs(image.pixels - rgb).mean()) < 0.03
        assert image.metadata.icc is None
        assert "CMYK converted" in image.notes[-1]


def test_cmyk_that_only_one_of_two_decoders_takes_is_refused(monkeypatch):
    def refuse(_data):
        raise imagecodecs.Jpeg8Error("Unsupported marker type 0x08")

    monkeypatch.setattr(imagecodecs, "jpeg8_decode", refuse)
    with pytest.raises(ImageError, match="damaged JPEG: Unsupported marker"):
        read_image(FORMATS_FOLDER / "cmyk.jpg")


SAMPLES = {
    "UPPER.JPG": ("jpeg", "uint8", 3),
    "alpha.png": ("png", "uint8", 4),
    "alpha.webp": ("webp", "uint8", 4),
    "animated.gif": ("gif", "uint8", 3),
    "bilevel_min_is_white.tif": ("tiff", "uint8", 1),
    "colour.pfm": ("pfm", "float32", 3),
    "float_hdr_nan.tif": ("tiff", "float32", 3),
    "grey.jpg": ("jpeg", "uint8", 1),
    "grey16.pgm": ("pgm", "uint16", 1),
    "grey16.png": ("png", "uint16", 1),
    "grey_alpha16.png": ("png", "uint16", 2),
    "one_bit.png": ("png", "uint8", 1),
    "palette4.png": ("png", "uint8", 4),
    "photo.avif": ("avif", "uint8", 3),
    "photo.bmp": ("bmp", "uint8", 3),
    "photo.heic": ("heic", "uint8", 3),
    "photo.jp2": ("jp2", "uint8", 3),
    "photo_10bit.heic": ("heic", "uint16", 3),
    "photo_q40.jpg": ("jpeg", "uint8", 3),
    "profile_adobe_rgb.jpg": ("jpeg", "uint8", 3),
    "rgb16.png": ("png", "uint16", 3),
    "rgb16.tif": ("tiff", "uint16", 3),
    "three_pages.tif": ("tiff", "uint8", 3),
    "tiled_planar_big_endian.tif": ("tiff", "uint16", 3),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name):
    image = read_image(FORMATS_FOLDER / name)
    channels = image.pixels.shape[2] + (image.alpha is not None)
    assert (image.format, image.depth, channels) == SAMPLES[name]
    assert MAXIMA[image.depth]


def test_the_same_picture_from_every_file():
    reference = read_image(FORMATS_FOLDER / "rgb16.png").pixels
    for name in (
        "rgb16.tif",
        "tiled_planar_big_endian.tif",
        "photo.jp2",
        "photo.avif",
        "photo.heic",
        "photo_10bit.heic",
        "alpha.png",
    ):
        pixels = read_image(FORMATS_FOLDER / name).pixels
        assert float(np.abs(pixels - reference).mean()) < 0.02, name
    grey = read_image(FORMATS_FOLDER / "grey16.png").pixels
    np.testing.assert_allclose(read_image(FORMATS_FOLDER / "grey16.pgm").pixels, grey, atol=2e-5)
    bilevel = read_image(FORMATS_FOLDER / "bilevel_min_is_white.tif").pixels
    assert set(np.unique(bilevel)) == {0.0, 1.0}


def test_imagecodecs_agrees_on_png():
    path = FORMATS_FOLDER / "rgb16.png"
    samples = imagecodecs.png_decode(path.read_bytes())
    np.testing.assert_allclose(read_image(path).pixels, samples / 65535, atol=1e-6)
