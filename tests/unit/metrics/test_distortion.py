from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from restore_cli.metrics.distortion import psnr_db, ssim


def test_psnr_values():
    target = torch.zeros(2, 3, 8, 8)
    pred = torch.stack([torch.full((3, 8, 8), 0.1), torch.full((3, 8, 8), 0.01)])
    assert psnr_db(pred, target).tolist() == pytest.approx([20, 40], abs=1e-5)
    assert psnr_db(target, target).isinf().all()


def test_ssim_agrees_with_scikit_image():
    target = torch.rand(1, 3, 40, 50)
    pred = (target + 0.1 * torch.randn(1, 3, 40, 50)).clamp(0, 1)
    theirs = structural_similarity(
        target[0].permute(1, 2, 0).double().numpy(),
        pred[0].permute(1, 2, 0).double().numpy(),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(pred, target).item() == pytest.approx(theirs, abs=2e-3)
    assert ssim(target, target).item() == pytest.approx(1)


def test_shape():
    images = torch.rand(3, 1, 16, 16)
    assert psnr_db(images, images).shape == (3,)
    assert ssim(images, images).shape == (3,)


def test_errors():
    with pytest.raises(ValueError, match="differ"):
        psnr_db(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9))


def test_psnr_of_large_images_does_not_lose_digits():
    target = torch.zeros(1, 1, 2000, 2000)
    assert psnr_db(target + np.float32(1e-3), target).item() == pytest.approx(60, abs=1e-4)
