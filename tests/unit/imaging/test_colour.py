import imagecodecs
import numpy as np

from restore_cli.imaging.colour import (
    THROUGH_PROFILE,
    WITHOUT_PROFILE,
    cmyk_to_srgb,
    lab_to_srgb,
)


def test_cmyk_without_a_profile():
    ink = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [255, 0, 0, 0], [0, 255, 255, 0]]], np.uint8)
    pixels, how = cmyk_to_srgb(ink, None)
    assert how == WITHOUT_PROFILE
    assert pixels[0].tolist() == [[1, 1, 1], [0, 0, 0], [0, 1, 1], [1, 0, 0]]


def test_a_useless_profile_is_passed_over():
    ink = np.zeros((1, 1, 4), np.uint8)
    for profile in (imagecodecs.cms_profile("srgb"), b"\0" * 16 + b"CMYK" + b"\0" * 200):
        assert cmyk_to_srgb(ink, profile)[1] == WITHOUT_PROFILE
    assert THROUGH_PROFILE != WITHOUT_PROFILE


def test_lab_agrees_with_littlecms():
    lab = np.random.default_rng(0).uniform([30, -25, -25], [85, 25, 25], (8, 8, 3))
    expected = imagecodecs.cms_transform(
        lab,
        imagecodecs.cms_profile("lab4"),
        imagecodecs.cms_profile("srgb"),
        colorspace="lab",
        outcolorspace="rgb",
        outdtype="float32",
    )
    np.testing.assert_allclose(lab_to_srgb(lab.astype(np.float32)), expected, atol=2e-4)


def test_neutral_lab_stays_neutral():
    lab = np.zeros((1, 101, 3), np.float32)
    lab[0, :, 0] = np.arange(101)
    pixels = lab_to_srgb(lab)[0]
    assert float(np.ptp(pixels, axis=1).max()) < 1e-3
    assert pixels[0].max() < 1e-3
    assert pixels[100].min() > 0.999
