from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from restore_cli.metrics import distortion
from restore_cli.metrics.distortion import psnr_db, ssim


@pytest.fixture
def images():
    target = torch.rand(1, 3, 40, 50)
    return (target + 0.1 * torch.randn(1, 3, 40, 50)).clamp(0, 1), target


def pixels(image):
    return image[0].permute(1, 2, 0).double().numpy()


def test_psnr_values():
    target = torch.zeros(2, 3, 8, 8)
    pred = torch.stack([torch.full((3, 8, 8), 0.1), torch.full((3, 8, 8), 0.01)])
    assert psnr_db(pred, target).tolist() == pytest.approx([20, 40], abs=1e-5)
    assert psnr_db(target, target).isinf().all()


def test_psnr_agrees_with_scikit_image(images):
    theirs = peak_signal_noise_ratio(pixels(images[1]), pixels(images[0]), data_range=1)
    assert psnr_db(*images).item() == pytest.approx(theirs, abs=1e-9)


def test_ssim_agrees_with_scikit_image(images):
    pred, target = images
    _, theirs = structural_similarity(
        pixels(target),
        pixels(pred),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    # Borders are mirrored with their last pixel there, without it here.
    ours = distortion._ssim_map(pred, target)
    np.testing.assert_allclose(pixels(ours)[5:-5, 5:-5], theirs[5:-5, 5:-5], atol=2e-5)
    assert ssim(pred, target).item() == pytest.approx(theirs.mean(), abs=2e-3)
    assert ssim(target, target).item() == pytest.approx(1)


@pytest.mark.parametrize("band_pixels", [1, 50 * 13, 50 * 25])
def test_bands_change_nothing(images, monkeypatch, band_pixels):
    whole = [psnr_db(*images), ssim(*images)]
    monkeypatch.setattr(distortion, "_BAND_PIXELS", band_pixels)
    assert len(list(distortion._bands(images[0]))) == {1: 3, 650: 3, 1250: 1}[band_pixels]
    torch.testing.assert_close([psnr_db(*images), ssim(*images)], whole, rtol=0, atol=1e-6)


def test_shape():
    images = torch.rand(3, 1, 16, 16)
    assert psnr_db(images, images).shape == (3,)
    assert ssim(images, images).shape == (3,)


def test_errors():
    with pytest.raises(ValueError, match="differ"):
        psnr_db(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9))
    with pytest.raises(ValueError, match="differ"):
        ssim(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))
    with pytest.raises(ValueError, match="smaller than 11"):
        ssim(torch.rand(1, 3, 10, 16), torch.rand(1, 3, 10, 16))


def test_psnr_of_large_images_does_not_lose_digits():
    target = torch.zeros(1, 1, 2000, 2000)
    assert psnr_db(target + np.float32(1e-3), target).item() == pytest.approx(60, abs=1e-4)
