import numpy as np
import pytest

from restore_cli.imaging.video.colour import corrected, from_pixels, to_pixels
from restore_cli.imaging.video.frames import FrameFormat, layout_of

LAYOUTS = (
    "rgb24", "bgr24", "rgb48le", "gray", "gray16le", "yuv420p", "yuv422p", "yuv444p", "yuv411p",
    "yuv420p10le", "yuv422p12le", "yuv444p16le",
)  # fmt: skip


def format_of(name, width=23, height=17, **facts):
    return FrameFormat(layout_of(name), width, height, **facts)


def noise(format, rng):
    top = 2**format.layout.bits
    return tuple(
        rng.integers(0, top, shape).astype(format.layout.dtype) for shape in format.plane_shapes
    )


def flat(codes, format):
    return tuple(
        np.full(shape, code, format.layout.dtype)
        for code, shape in zip(codes, format.plane_shapes, strict=True)
    )


# The colour bars of BT.601 and BT.709, rounded to 8 bits.
@pytest.mark.parametrize(
    ("matrix", "colour", "codes"),
    [
        ("bt601", (1, 1, 1), (235, 128, 128)),
        ("bt601", (0, 0, 0), (16, 128, 128)),
        ("bt601", (1, 0, 0), (81, 90, 240)),
        ("bt601", (0, 1, 0), (145, 54, 34)),
        ("bt601", (0, 0, 1), (41, 240, 110)),
        ("bt709", (1, 1, 1), (235, 128, 128)),
        ("bt709", (1, 0, 0), (63, 102, 240)),
        ("bt709", (0, 1, 0), (173, 42, 26)),
        ("bt709", (0, 0, 1), (32, 240, 118)),
        ("bt2020", (1, 0, 0), (74, 97, 240)),
    ],
)
def test_values(matrix, colour, codes):
    for name in ("yuv444p", "yuv420p"):
        format = format_of(name, matrix=matrix)
        pixels = np.tile(np.float32(colour), (17, 23, 1))
        for plane, code in zip(from_pixels(pixels, format), codes, strict=True):
            assert (plane == code).all()
        np.testing.assert_allclose(to_pixels(flat(codes, format), format), pixels, atol=0.006)


def test_values_of_ten_bits_and_of_full_range():
    deep = format_of("yuv420p10le")
    assert [int(p[0, 0]) for p in from_pixels(np.ones((17, 23, 1), np.float32), deep)] == [
        940, 512, 512,
    ]  # fmt: skip
    full = format_of("yuv444p", is_full_range=True)  # as in JPEG files
    red = np.tile(np.float32((1, 0, 0)), (17, 23, 1))
    assert [int(p[0, 0]) for p in from_pixels(red, full)] == [76, 85, 255]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("is_cosited", [(False, False), (False, True), (True, True)])
def test_frames_without_a_correction_are_the_same_to_the_bit(name, is_cosited, rng):
    format = format_of(name, is_cosited=is_cosited)
    planes = noise(format, rng)
    pixels = to_pixels(planes, format)
    assert pixels.shape == (17, 23, format.layout.channels)
    for before, after in zip(planes, corrected(planes, 0 * pixels, format), strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["rgb24", "bgr24", "rgb48le", "gray", "yuv444p", "yuv444p10le"])
def test_there_and_back_without_subsampling(name, rng):
    format = format_of(name)
    planes = noise(format, rng)
    for before, after in zip(planes, from_pixels(to_pixels(planes, format), format), strict=True):
        assert np.abs(before.astype(int) - after.astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["rgb24", "yuv444p", "yuv420p", "yuv422p10le"])
def test_a_correction_arrives(name, rng):
    format = format_of(name, 24, 18)
    planes = from_pixels(np.full((18, 24, 3), 0.5, np.float32), format)
    wanted = np.tile(np.float32((0.1, -0.05, 0.02)), (18, 24, 1))
    changed = corrected(planes, wanted, format)
    change = to_pixels(changed, format) - to_pixels(planes, format)
    # Half a step of each plane, times the largest share of chroma in a colour.
    np.testing.assert_allclose(change, wanted, atol=3 / 255)


def test_what_exceeds_the_codes_is_clamped():
    format = format_of("yuv420p")
    planes = flat((250, 128, 128), format)
    brighter = np.ones((17, 23, 3), np.float32)
    assert (corrected(planes, brighter, format)[0] == 255).all()
    assert (corrected(planes, -2 * brighter, format)[0] == 0).all()


@pytest.mark.parametrize(("is_cosited", "first"), [(False, 0.25), (True, 0.5)])
def test_where_chroma_is_taken(is_cosited, first):
    """A step from one chroma column to the next lies between them, or on the way to the second."""
    format = format_of("yuv422p", 4, 2, is_cosited=(False, is_cosited))
    planes = flat((128, 128, 128), format)
    planes[2][:, 1] = 228
    red = to_pixels(planes, format)[0, :, 0] - to_pixels(planes, format)[0, 0, 0]
    share = red / red[-1]
    np.testing.assert_allclose(share[[0, 1, 3]], (0, first, 1), atol=1e-5)


@pytest.mark.parametrize("is_cosited", [False, True])
def test_chroma_is_averaged_about_its_own_place(is_cosited):
    """On a ramp the mean is the value in the middle; a cosited one is that of its column."""
    format = format_of("yuv422p", 40, 2, is_cosited=(False, is_cosited))
    ramp = np.zeros((2, 40, 3), np.float32)
    ramp[:, :, 0] = np.linspace(0, 0.8, 40)
    chroma = from_pixels(ramp, format)[2][0, 1:-1].astype(float)
    luma = 0.299 * ramp[0, :, 0]
    full = 128 + 224 * (ramp[0, :, 0] - luma) / 1.402
    at = np.arange(2, 38, 2)
    expected = full[at] if is_cosited else (full[at] + full[at + 1]) / 2
    np.testing.assert_allclose(chroma, expected, atol=0.51)


def test_grey_pixels_fit_every_layout():
    grey = np.full((17, 23, 1), 0.5, np.float32)
    assert [int(p.flat[0]) for p in from_pixels(grey, format_of("yuv420p"))] == [126, 128, 128]
    assert (from_pixels(grey, format_of("rgb24"))[0] == 128).all()
    colour = np.tile(np.float32((1, 0, 0)), (17, 23, 1))
    full = format_of("gray", is_full_range=True)
    assert (from_pixels(colour, full)[0] == 76).all()
