from __future__ import annotations

import numpy as np
import pytest
import torch

from restore_cli.degradations.compression import jpeg


def natural(side=96):
    """A picture with slopes, edges and texture: (3, side, side)."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    grey = 0.5 + 0.3 * torch.sin(12 * x + 5 * y) * y + 0.2 * (x > 0.5)
    return torch.stack([grey, grey * 0.8, 1 - grey]).clamp(0, 1)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_values_are_near_a_real_encoder(quality):
    imageio = pytest.importorskip("imageio.v3")
    image = (natural() * 255).round()
    data = image.permute(1, 2, 0).byte().numpy()
    coded = imageio.imwrite("<bytes>", data, extension=".jpg", quality=quality)
    real = imageio.imread(coded, extension=".jpg").astype(np.float32)
    ours = jpeg(image[None] / 255, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy() * 255
    source = image.permute(1, 2, 0).numpy()
    error_real, error_ours = np.abs(real - source).mean(), np.abs(ours - source).mean()
    assert error_ours == pytest.approx(error_real, rel=0.25)
    assert np.abs(ours - real).mean() < 0.75 * error_real + 0.5


def test_flat_pictures_survive():
    flat = torch.full((1, 3, 32, 32), 128 / 255)
    torch.testing.assert_close(jpeg(flat, torch.tensor([50.0])), flat, atol=1.01 / 255, rtol=0)


def test_every_image_has_its_own_quality():
    images = natural().expand(2, -1, -1, -1)
    error = (jpeg(images, torch.tensor([20.0, 95.0])) - images).abs().mean(dim=(1, 2, 3))
    assert error[0] > 2 * error[1]


def test_errors():
    with pytest.raises(ValueError, match="multiples of 16"):
        jpeg(torch.rand(1, 3, 24, 32), torch.tensor([90.0]))
