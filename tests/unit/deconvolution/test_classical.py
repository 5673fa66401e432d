import numpy as np
import pytest
import torch

from restore_cli.deconvolution.classical import richardson_lucy, wiener
from restore_cli.degradations.optics import convolve, gaussian_kernels


def scene(rng, height=60, width=75, channels=3):
    """Return a picture with edges, smooth as the sharpest lens leaves it."""
    squares = rng.uniform(0.2, 0.8, (height // 10 + 1, width // 10 + 1, channels))
    large = squares.repeat(10, axis=0).repeat(10, axis=1)[:height, :width]
    return blurred(large.astype(np.float32), gaussian_kernels(torch.tensor([0.7]))[0].numpy())


def crooked():
    """Return a kernel that is the same in no other direction."""
    kernel = np.zeros((7, 7), np.float32)
    kernel[1, 1:6], kernel[1:5, 5] = 1, 2
    return kernel / kernel.sum()


def blurred(pixels, kernel):
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return convolve(image, torch.from_numpy(kernel)[None])[0].permute(1, 2, 0).contiguous().numpy()


def psnr_db(restored, clean):
    return -10 * np.log10(np.mean((np.clip(restored, 0, 1) - clean) ** 2))


METHODS = pytest.mark.parametrize(
    "deblur",
    [lambda x, kernel: wiener(x, kernel, 0), richardson_lucy],
    ids=["wiener", "richardson-lucy"],
)


@METHODS
@pytest.mark.parametrize("channels", [1, 3])
def test_blur_of_a_known_kernel_is_undone(deblur, channels, rng):
    clean = scene(rng, channels=channels)
    degraded = blurred(clean, crooked())
    restored = deblur(degraded, crooked())
    assert restored.shape == clean.shape
    assert restored.dtype == np.float32
    assert psnr_db(restored, clean) > psnr_db(degraded, clean) + 6
    turned = deblur(degraded, crooked()[::-1].copy())
    assert psnr_db(turned, clean) < psnr_db(degraded, clean), "the kernel's direction counts"


@METHODS
def test_without_blur_little_changes(deblur, rng):
    clean = scene(rng)
    kernel = np.zeros((5, 5), np.float32)
    kernel[2, 2] = 1
    np.testing.assert_allclose(deblur(clean, kernel), clean, atol=1e-3)


def test_wiener_goes_by_the_noise(rng):
    clean = scene(rng)
    noise = rng.standard_normal(clean.shape).astype(np.float32)
    gains = {}
    for sigma in (0.5, 8):
        degraded = blurred(clean, crooked()) + noise * np.float32(sigma / 255)
        for told in (0.5, 8):
            gains[sigma, told] = psnr_db(wiener(degraded, crooked(), told), clean)
    assert gains[0.5, 0.5] > gains[0.5, 8] + 1
    assert gains[8, 8] > gains[8, 0.5] + 1


def test_a_flat_picture_stays_flat():
    flat = np.full((20, 30, 3), 0.4, np.float32)
    for restored in (wiener(flat, crooked(), 2), richardson_lucy(flat, crooked())):
        np.testing.assert_allclose(restored, flat, atol=1e-5)
