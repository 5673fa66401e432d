"""Deblurs with a known kernel, by classical methods to compare networks with.

Borders are mirrored, as evaluation mirrors them when it blurs.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.image import Pixels

# Noise that is left where none was added: that of rounding to 8 bits, in its steps.
_LEAST_SIGMA_8BIT = 0.29
# How much more noise the Wiener filter expects than it is told. Of 1/2 to 10 the best, by 0.8 dB
# over 1, for Kodak photos with six kernels and noise of 2.
_CAUTION = 4.0
# Where the spectrum of photos no longer rises, in cycles per pixel squared.
_LOWEST_FREQUENCY = 1e-4
_ITERATIONS = 30
_DARKEST = 1e-3


def wiener(pixels: Pixels, kernel: Pixels, sigma_8bit: float) -> Pixels:
    """Deblur by Wiener's filter: least mean square error for spectra of photos and noise.

    Args:
        pixels: (H, W, C).
        kernel: (k, k), k odd, sum 1, smaller than the picture.
        sigma_8bit: of the noise, in 8-bit steps.

    Source: Gonzalez and Woods, Digital Image Processing, section 5.8; the power of photos falls
    with the square of the frequency (Field 1987).
    """
    border = min(2 * len(kernel), min(pixels.shape[:2]) - 1)
    height, width = (cv2.getOptimalDFTSize(side + 2 * border) for side in pixels.shape[:2])
    padded = cv2.copyMakeBorder(
        pixels,
        border,
        height - pixels.shape[0] - border,
        border,
        width - pixels.shape[1] - border,
        cv2.BORDER_REFLECT_101,
    ).reshape(height, width, -1)
    transfer = _transfer(kernel, height, width)[..., None]
    mean = padded.mean(axis=(0, 1))
    spectrum = np.fft.rfft2(padded - mean, axes=(0, 1))

    noise = _CAUTION * (max(sigma_8bit, _LEAST_SIGMA_8BIT) / 255) ** 2
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    falling = 1 / (rows**2 + columns**2 + _LOWEST_FREQUENCY)
    power = np.maximum(padded.var(axis=(0, 1)), noise) / falling.mean()
    to_signal = noise / (falling[:, : width // 2 + 1, None] * power)

    deblurred = np.conj(transfer) / (np.abs(transfer) ** 2 + to_signal) * spectrum
    restored = np.fft.irfft2(deblurred, (height, width), axes=(0, 1)) + mean
    inner = restored[border : border + pixels.shape[0], border : border + pixels.shape[1]]
    return np.asarray(inner, np.float32)


def richardson_lucy(pixels: Pixels, kernel: Pixels) -> Pixels:
    """Deblur by thirty steps of Richardson and Lucy towards the most likely image.

    Args:
        pixels: (H, W, C); darkest values are raised to 1e-3.
        kernel: (k, k), k odd, sum 1, smaller than the picture.

    Source: Richardson 1972, Lucy 1974.
    """
    seen = np.maximum(pixels, np.float32(_DARKEST))
    mirrored = kernel[::-1, ::-1]
    restored = seen
    for _ in range(_ITERATIONS):
        again = np.maximum(_blurred(restored, kernel), np.float32(_DARKEST))
        restored = restored * _blurred((seen / again).astype(np.float32), mirrored)
    return restored


def _blurred(pixels: Pixels, kernel: Pixels) -> Pixels:
    """Return the true convolution; OpenCV's is a correlation."""
    turned = np.ascontiguousarray(kernel[::-1, ::-1])
    blurred = cv2.filter2D(pixels, -1, turned, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32).reshape(pixels.shape)


def _transfer(kernel: Pixels, height: int, width: int) -> NDArray[np.complex128]:
    """Return the kernel's spectrum, its centre at the first pixel."""
    whole = np.zeros((height, width), np.float32)
    side = len(kernel)
    whole[:side, :side] = kernel
    centred = np.roll(whole, (-(side // 2), -(side // 2)), axis=(0, 1))
    return np.asarray(np.fft.rfft2(centred), np.complex128)
