"""Denoises by non-local means, a classical method to compare networks with.

Source: Buades, Coll, Morel, "Non-local means denoising", IPOL 2011; OpenCV's implementation.
"""

from __future__ import annotations

import cv2
import numpy as np

from restore_cli.imaging.image import Pixels

# OpenCV's h, as a part of the noise's sigma. Of colour pictures it is for their luma, in which the
# noise is less; of grey ones at sigma 25, 0.6 lost 6 dB to 0.9, and 1.2 lost 1.
_STRENGTH, _GREY_STRENGTH = 0.6, 0.9


def nonlocal_means(pixels: Pixels, sigma_8bit: float) -> Pixels:
    """Remove noise; pixels are rounded to 8 bits, the only depth that OpenCV takes.

    Args:
        pixels: (H, W, 1) or (H, W, 3); clamped to [0, 1].
        sigma_8bit: of the noise, in 8-bit steps.
    """
    samples = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        strength = _GREY_STRENGTH * sigma_8bit
        denoised = np.asarray(cv2.fastNlMeansDenoising(samples, None, strength))
    else:
        strength = _STRENGTH * sigma_8bit
        bgr = cv2.cvtColor(samples, cv2.COLOR_RGB2BGR)
        denoised = np.asarray(cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength))
        denoised = cv2.cvtColor(denoised, cv2.COLOR_BGR2RGB)
    return np.asarray(denoised, np.float32).reshape(pixels.shape) / np.float32(255)
