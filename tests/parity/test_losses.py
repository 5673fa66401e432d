"""The losses give the published values and gradients."""

from __future__ import annotations

import pytest
import torch

from models.losses.frequency import frequency_loss, multi_scale_frequency_loss
from models.losses.pixel import l1_loss, multi_scale_content_loss
from models.losses.pyramid import scaled_targets
from tests.parity.filling import arrays, description

SCALES = (0.25, 0.5, 1.0)  # as the fixture lists them


@pytest.fixture(scope="module")
def recorded():
    values = arrays("losses")
    preds = [values[f"mimo_pred{i}"].requires_grad_() for i in range(3)]
    return description("losses")["values"]["mimo"], values, preds


def test_targets(recorded):
    _, values, _ = recorded
    quarter, half, full = scaled_targets(values["target"], SCALES)
    torch.testing.assert_close(quarter, values["mimo_label_quarter"])
    torch.testing.assert_close(half, values["mimo_label_half"])
    assert full is values["target"]


def test_values(recorded):
    expected, values, preds = recorded
    targets = scaled_targets(values["target"], SCALES)
    content = [l1_loss(p, t).item() for p, t in zip(preds, targets, strict=True)]
    assert content == pytest.approx(expected["content_terms_quarter_half_full"], rel=1e-5)
    frequency = [frequency_loss(p, t).item() for p, t in zip(preds, targets, strict=True)]
    assert frequency == pytest.approx(expected["fft_terms_quarter_half_full"], rel=1e-5)


def test_gradient(recorded):
    expected, values, preds = recorded
    targets = scaled_targets(values["target"], SCALES)
    total = multi_scale_content_loss(preds, targets) + 0.1 * multi_scale_frequency_loss(
        preds, targets
    )
    assert total.item() == pytest.approx(expected["total_content_plus_0.1_fft"], rel=1e-5)
    for i, gradient in enumerate(torch.autograd.grad(total, preds)):
        want = values[f"mimo_grad_total_pred{i}"]
        torch.testing.assert_close(gradient, want, atol=1e-3 * want.abs().max().item(), rtol=0)
