from __future__ import annotations

import math

import pytest
import torch

from models.losses.frequency import frequency_loss, multi_scale_frequency_loss
from models.losses.pixel import l1_loss, multi_scale_content_loss
from models.losses.pyramid import scaled_targets

SINGLE = [l1_loss, frequency_loss]
SEVERAL = [multi_scale_content_loss, multi_scale_frequency_loss]


def test_l1_values():
    assert l1_loss(torch.full((1, 1, 2, 2), 0.75), torch.full((1, 1, 2, 2), 0.5)).item() == 0.25


def test_frequency_values():
    # A constant difference d has one coefficient, H·W·d, and it is real.
    pred, target = torch.full((1, 1, 4, 8), 0.75), torch.full((1, 1, 4, 8), 0.25)
    assert frequency_loss(pred, target).item() == pytest.approx(0.5 * 32 / (2 * 32))
    # A cosine of amplitude a along one side has two, each H·W·a/2.
    wave = torch.cos(2 * math.pi * torch.arange(8) / 8).expand(1, 1, 4, 8)
    assert frequency_loss(wave, torch.zeros_like(wave)).item() == pytest.approx(32 / 64, rel=1e-5)


def test_several_scales_add_up():
    preds = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)]
    targets = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)]
    for total, single in zip(SEVERAL, (l1_loss, frequency_loss), strict=True):
        parts = [single(p, t) for p, t in zip(preds, targets, strict=True)]
        torch.testing.assert_close(total(preds, targets), parts[0] + parts[1])


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


@pytest.mark.parametrize("loss", [l1_loss])
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
