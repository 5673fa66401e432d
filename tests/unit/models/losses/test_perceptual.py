from __future__ import annotations

import pytest
import torch

from models.losses.perceptual import FeatureLoss

SHAPES = {
    "features.0": (64, 3, 3, 3),
    "features.2": (64, 64, 3, 3),
    "features.5": (128, 64, 3, 3),
    "features.7": (128, 128, 3, 3),
    "features.10": (256, 128, 3, 3),
}


@pytest.fixture
def state():
    state = {}
    for name, shape in SHAPES.items():
        state[f"{name}.weight"] = torch.randn(shape) * (2 / (9 * shape[1])) ** 0.5
        state[f"{name}.bias"] = torch.zeros(shape[0])
    return state


def test_values(state):
    # One channel is passed through all layers; all others are zero.
    for name in SHAPES:
        state[f"{name}.weight"] = torch.zeros(SHAPES[name])
        state[f"{name}.weight"][0, 0, 1, 1] = 1
        state[f"{name}.bias"][0] = 10  # keeps every ReLU open
    loss = FeatureLoss(state)
    pred, target = torch.full((1, 3, 8, 8), 0.6), torch.full((1, 3, 8, 8), 0.2)
    assert loss(pred, target).item() == pytest.approx((0.4 / 0.229) ** 2 / 128, rel=1e-5)
    assert loss(pred, pred).item() == 0


def test_shape(state):
    loss = FeatureLoss(state)
    assert loss.features(torch.rand(2, 3, 9, 12)).shape == (2, 128, 4, 6)
    assert loss(torch.rand(2, 3, 9, 12), torch.rand(2, 3, 9, 12)).shape == ()


def test_grey_is_three_equal_colours(state):
    loss = FeatureLoss(state)
    pred, target = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    colours = loss(pred.repeat(1, 3, 1, 1), target.repeat(1, 3, 1, 1))
    torch.testing.assert_close(loss(pred, target), colours)


def test_gradient_reaches_the_image_only(state):
    loss = FeatureLoss(state)
    pred = torch.rand(1, 3, 8, 8, requires_grad=True)
    target = torch.rand(1, 3, 8, 8, requires_grad=True)
    loss(pred, target).backward()
    assert pred.grad is not None
    assert pred.grad.abs().sum() > 0
    assert target.grad is None
    assert not any(p.requires_grad for p in loss.parameters())


def test_gradient(state):
    loss = FeatureLoss(state).double()
    pred = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: loss(p, target), (pred,))


def test_errors(state):
    loss = FeatureLoss(state)
    with pytest.raises(ValueError, match="differ"):
        loss(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="2 channels"):
        loss(torch.rand(1, 2, 8, 8), torch.rand(1, 2, 8, 8))


def test_the_first_wrong_entry_is_named(state):
    state["features.7.weight"] = torch.zeros(128, 64, 3, 3)
    with pytest.raises(ValueError, match=r"'features\.7\.weight' has shape \(128, 64, 3, 3\)"):
        FeatureLoss(state)
    del state["features.2.bias"]
    with pytest.raises(ValueError, match=r"'features\.2\.bias' is missing"):
        FeatureLoss(state)
