from __future__ import annotations

import math

import pytest
import torch

from models.losses.edge import edge_loss, laplacian
from models.losses.frequency import frequency_loss, multi_scale_frequency_loss
from models.losses.gradient import sobel, sobel_loss
from models.losses.pixel import (
    charbonnier_loss,
    charbonnier_loss_unsquared,
    l1_loss,
    mse_loss,
    multi_scale_content_loss,
    multi_scale_mse_loss,
)
from models.losses.pyramid import scaled_targets, subsampled_targets

SMOOTH = [l1_loss, mse_loss, charbonnier_loss, charbonnier_loss_unsquared, edge_loss, sobel_loss]
SINGLE = [*SMOOTH, frequency_loss]
SEVERAL = {
    multi_scale_content_loss: l1_loss,
    multi_scale_mse_loss: mse_loss,
    multi_scale_frequency_loss: frequency_loss,
}


def test_l1_values():
    assert l1_loss(torch.full((1, 1, 2, 2), 0.75), torch.full((1, 1, 2, 2), 0.5)).item() == 0.25


def test_frequency_values():
    # A constant difference d has one coefficient, H·W·d, and it is real.
    pred, target = torch.full((1, 1, 4, 8), 0.75), torch.full((1, 1, 4, 8), 0.25)
    assert frequency_loss(pred, target).item() == pytest.approx(0.5 * 32 / (2 * 32))
    # A cosine of amplitude a along one side has two, each H·W·a/2.
    wave = torch.cos(2 * math.pi * torch.arange(8) / 8).expand(1, 1, 4, 8)
    assert frequency_loss(wave, torch.zeros_like(wave)).item() == pytest.approx(32 / 64, rel=1e-5)


def test_mse_values():
    assert mse_loss(torch.full((1, 1, 2, 2), 0.75), torch.full((1, 1, 2, 2), 0.5)).item() == 0.0625


def test_charbonnier_values():
    pred, target = torch.full((1, 1, 2, 2), 0.7), torch.full((1, 1, 2, 2), 0.4)
    assert charbonnier_loss(pred, target, eps=0.4).item() == pytest.approx(0.5)
    assert charbonnier_loss_unsquared(pred, target, eps=0.16).item() == pytest.approx(0.5)
    assert charbonnier_loss(target, target).item() == pytest.approx(1e-3)


def test_edge_values():
    # Nothing fine is in a flat image, away from the borders; noise is fine throughout.
    flat = torch.full((1, 3, 12, 16), 0.5)
    inside = laplacian(flat)[..., 2:-3, 2:-3]
    torch.testing.assert_close(inside, torch.zeros_like(inside))
    assert edge_loss(flat, flat).item() == pytest.approx(1e-3)
    assert edge_loss(flat, torch.rand_like(flat)).item() > 0.1


def test_sobel_values():
    # The slope of a ramp, times the 8 of the kernel, over a horizontal and a vertical gradient.
    ramp = torch.arange(8.0).expand(1, 2, 8, 8)
    inside = sobel(ramp)[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside[:, ::2], torch.full((1, 2, 6, 6), -8.0))
    torch.testing.assert_close(inside[:, 1::2], torch.zeros(1, 2, 6, 6))
    expected = sobel(ramp).abs().mean()
    torch.testing.assert_close(sobel_loss(ramp, torch.zeros_like(ramp)), expected)


@pytest.mark.parametrize(("several", "single"), SEVERAL.items())
def test_several_scales_add_up(several, single):
    preds = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)]
    targets = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)]
    parts = [single(p, t) for p, t in zip(preds, targets, strict=True)]
    torch.testing.assert_close(several(preds, targets), parts[0] + parts[1])


@pytest.mark.parametrize("loss", SINGLE)
def test_shape(loss):
    assert loss(torch.rand(2, 3, 6, 10), torch.rand(2, 3, 6, 10)).shape == ()


@pytest.mark.parametrize("loss", SINGLE)
def test_errors(loss):
    with pytest.raises(ValueError, match="differ"):
        loss(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("loss", SEVERAL)
def test_errors_of_several_scales(loss):
    with pytest.raises(ValueError, match="shorter"):
        loss([torch.rand(1, 3, 8, 8)] * 2, [torch.rand(1, 3, 8, 8)])


@pytest.mark.parametrize("loss", SMOOTH)
def test_gradient(loss):
    pred = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 2, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: loss(p, target), (pred,))


def test_gradient_of_the_frequency_loss():
    # In float32 by design, so against a finite difference in the direction of one pixel.
    pred, target = torch.rand(1, 1, 4, 4, requires_grad=True), torch.rand(1, 1, 4, 4)
    (gradient,) = torch.autograd.grad(frequency_loss(pred, target), pred)
    step = torch.zeros(1, 1, 4, 4)
    step[0, 0, 1, 2] = 1e-2
    with torch.no_grad():
        slope = (frequency_loss(pred + step, target) - frequency_loss(pred - step, target)) / 2e-2
    assert gradient[0, 0, 1, 2].item() == pytest.approx(slope.item(), abs=2e-2)


def test_scaled_targets_shape():
    shapes = [t.shape[-2:] for t in scaled_targets(torch.rand(1, 3, 8, 16), (1, 0.5, 0.25))]
    assert shapes == [(8, 16), (4, 8), (2, 4)]


def test_subsampled_targets_values():
    image = torch.rand(1, 3, 8, 16)
    full, quarter = subsampled_targets(image, (1, 0.25))
    torch.testing.assert_close(full, image)
    torch.testing.assert_close(quarter, image[..., ::4, ::4])
