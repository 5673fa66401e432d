"""The losses give the published values and gradients."""

from __future__ import annotations

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
from tests.parity.filling import arrays, description

SCALES = (0.25, 0.5, 1.0)  # as the fixture lists them


@pytest.fixture(scope="module")
def values():
    return arrays("losses")


@pytest.fixture(scope="module")
def expected():
    return description("losses")["values"]


def assert_gradients(loss, preds, wanted):
    for gradient, want in zip(torch.autograd.grad(loss, preds), wanted, strict=True):
        torch.testing.assert_close(gradient, want, atol=1e-3 * want.abs().max().item(), rtol=0)


def stages(values, name, count=3):
    return [values[f"{name}{i}"].clone().requires_grad_() for i in range(count)]


def test_mimo_targets(values):
    quarter, half, full = scaled_targets(values["target"], SCALES)
    torch.testing.assert_close(quarter, values["mimo_label_quarter"])
    torch.testing.assert_close(half, values["mimo_label_half"])
    assert full is values["target"]


def test_mimo_terms(values, expected):
    preds, targets = stages(values, "mimo_pred"), scaled_targets(values["target"], SCALES)
    content = [l1_loss(p, t).item() for p, t in zip(preds, targets, strict=True)]
    wanted = expected["mimo"]
    assert content == pytest.approx(wanted["content_terms_quarter_half_full"], rel=1e-5)
    frequency = [frequency_loss(p, t).item() for p, t in zip(preds, targets, strict=True)]
    assert frequency == pytest.approx(wanted["fft_terms_quarter_half_full"], rel=1e-5)


def test_mimo_total(values, expected):
    preds, targets = stages(values, "mimo_pred"), scaled_targets(values["target"], SCALES)
    total = multi_scale_content_loss(preds, targets) + 0.1 * multi_scale_frequency_loss(
        preds, targets
    )
    assert total.item() == pytest.approx(expected["mimo"]["total_content_plus_0.1_fft"], rel=1e-5)
    assert_gradients(total, preds, [values[f"mimo_grad_total_pred{i}"] for i in range(3)])


def test_charbonnier(values, expected):
    pred = values["pred"].clone().requires_grad_()
    loss = charbonnier_loss(pred, values["target"])
    assert loss.item() == pytest.approx(expected["charbonnier"]["value"], rel=1e-5)
    assert_gradients(loss, [pred], [values["charbonnier_grad"]])


def test_charbonnier_of_the_other_convention(values, expected):
    other = charbonnier_loss_unsquared(values["pred"], values["target"], 1e-3)
    assert other.item() == pytest.approx(
        expected["charbonnier"]["wrong_if_eps_not_squared"], rel=1e-5
    )


def test_edge(values, expected):
    residual = laplacian(values["target"])
    torch.testing.assert_close(residual, values["edge_residual_of_target"], atol=1e-6, rtol=0)
    pred = values["pred"].clone().requires_grad_()
    loss = edge_loss(pred, values["target"])
    assert loss.item() == pytest.approx(expected["edge"]["value"], rel=1e-5)
    assert_gradients(loss, [pred], [values["edge_grad"]])


def test_mprnet_for_deblurring_and_deraining(values, expected):
    preds, target = stages(values, "mpr_stage"), values["target"]
    charbonnier = torch.stack([charbonnier_loss(pred, target) for pred in preds]).sum()
    edge = torch.stack([edge_loss(pred, target) for pred in preds]).sum()
    total, wanted = charbonnier + 0.05 * edge, expected["mprnet_deblur_derain"]
    assert charbonnier.item() == pytest.approx(wanted["charbonnier_sum_over_3_stages"], rel=1e-5)
    assert edge.item() == pytest.approx(wanted["edge_sum_over_3_stages"], rel=1e-5)
    assert total.item() == pytest.approx(wanted["total_char_plus_0.05_edge"], rel=1e-5)
    assert_gradients(total, preds, [values[f"mpr_deblur_grad_stage{i}"] for i in range(3)])


def test_mprnet_for_denoising(values, expected):
    preds = stages(values, "mpr_stage")
    terms = [charbonnier_loss(pred.clamp(0, 1), values["target"]) for pred in preds]
    total = torch.stack(terms).sum()
    wanted = expected["mprnet_denoise"]["charbonnier_of_clamped_sum_over_3_stages"]
    assert total.item() == pytest.approx(wanted, rel=1e-5)
    assert_gradients(total, preds, [values[f"mpr_denoise_grad_stage{i}"] for i in range(3)])


def test_mirnet(values, expected):
    pred = values["pred"].clone().requires_grad_()
    loss = charbonnier_loss(pred.clamp(0, 1), values["target"])
    assert loss.item() == pytest.approx(expected["mirnet"]["charbonnier_of_clamped"], rel=1e-5)
    assert_gradients(loss, [pred], [values["mirnet_grad"]])


def test_sobel(values, expected):
    both = sobel(values["sobel_target"])
    torch.testing.assert_close(both[:, :1], values["sobel_x_of_target"], atol=1e-6, rtol=0)
    torch.testing.assert_close(both[:, 1:], values["sobel_y_of_target"], atol=1e-6, rtol=0)
    pred = values["sobel_pred"].clone().requires_grad_()
    loss = sobel_loss(pred, values["sobel_target"])
    assert loss.item() == pytest.approx(expected["formnet_sobel"]["value"], rel=1e-5)
    assert_gradients(loss, [pred], [values["sobel_grad"]])


def test_pss_nsc(values, expected):
    preds, targets = stages(values, "pss_pred"), subsampled_targets(values["pss_target"], SCALES)
    torch.testing.assert_close(targets[0], values["pss_label_quarter"])
    torch.testing.assert_close(targets[1], values["pss_label_half"])
    terms = [mse_loss(p, t).item() for p, t in zip(preds, targets, strict=True)]
    wanted = expected["pss_nsc"]
    assert terms == pytest.approx(wanted["mse_terms_quarter_half_full"], rel=1e-5)
    total = multi_scale_mse_loss(preds, targets)
    assert total.item() == pytest.approx(wanted["total"], rel=1e-5)
    assert_gradients(total, preds, [values[f"pss_grad_pred{i}"] for i in range(3)])
