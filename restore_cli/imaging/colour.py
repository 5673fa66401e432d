"""Converts CMYK and Lab to sRGB."""

from __future__ import annotations

from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.image import Pixels

THROUGH_PROFILE = "CMYK converted to sRGB through the file's colour profile"
WITHOUT_PROFILE = "CMYK converted to sRGB without a usable profile: colours are approximate"

_D50 = np.array([0.96422, 1.0, 0.82521], np.float32)
# XYZ relative to D50 → linear sRGB: IEC 61966-2-1 primaries, Bradford adaptation to D65.
_XYZ_D50_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ],
    np.float32,
)


@cache
def _srgb_profile() -> bytes:
    return imagecodecs.cms_profile("srgb")


def cmyk_to_srgb(ink: NDArray[Any], icc: bytes | None) -> tuple[Pixels, str]:
    """Return sRGB pixels, and a note on how they were converted.

    Args:
        ink: (H, W, 4) uint8 or uint16, 0 for no ink.
        icc: the profile of the file; anything but a CMYK profile is passed over.
    """
    top = np.float32(np.iinfo(ink.dtype).max)
    if icc is not None and icc[16:20] == b"CMYK":
        try:
            rgb = imagecodecs.cms_transform(
                np.ascontiguousarray(ink),
                icc,
                _srgb_profile(),
                colorspace="cmyk",
                outcolorspace="rgb",
            )
        except (RuntimeError, ValueError):
            pass  # a damaged profile: go on without
        else:
            return rgb.astype(np.float32) / top, THROUGH_PROFILE
    paper = 1 - ink.astype(np.float32) / top
    return np.asarray(paper[:, :, :3] * paper[:, :, 3:], np.float32), WITHOUT_PROFILE


def lab_to_srgb(lab: Pixels) -> Pixels:
    """Return sRGB pixels in [0, 1], out-of-gamut colours clipped.

    Args:
        lab: (H, W, 3) CIE L* in 0 to 100, a* and b*, relative to D50.

    Source: CIE 15:2004, section 8.2.1, inverted.
    """
    fy = (lab[:, :, :1] + 16) / 116
    f = np.concatenate([fy + lab[:, :, 1:2] / 500, fy, fy - lab[:, :, 2:] / 200], axis=2)
    epsilon = 6 / 29
    xyz = np.where(f > epsilon, f**3, 3 * epsilon**2 * (f - 4 / 29)) * _D50
    linear = np.clip(xyz @ _XYZ_D50_TO_SRGB.T, 0, 1)
    srgb: NDArray[Any] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return np.asarray(np.clip(srgb, 0, 1), np.float32)
