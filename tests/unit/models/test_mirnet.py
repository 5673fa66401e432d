from __future__ import annotations

import pytest
import torch

from models import create_model
from models.mirnet import MIRNetConfig

NARROW = {"features": 8, "groups": 1, "blocks_per_group": 1}


def test_shape():
    (image,) = create_model("mirnet", NARROW)(torch.rand(2, 3, 20, 28))
    assert image.shape == (2, 3, 20, 28)


def test_values_of_the_identity():
    model = create_model("mirnet", NARROW)
    model.start_from_identity()
    x = torch.rand(1, 3, 16, 24)
    torch.testing.assert_close(model.restore(x), x)


@pytest.mark.parametrize("height", [2, 3])
def test_gradient_reaches_every_parameter(height):
    # Wide, since one or two squeezed channels may all be shut by their ReLU.
    model = create_model("mirnet", {**NARROW, "features": 32, "height": height})
    model.restore(torch.rand(4, 3, 32, 32)).square().mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("features", 16), ("groups", 2), ("blocks_per_group", 2)],
)
def test_every_size_in_the_config_changes_the_network(field, value):
    count = [
        sum(p.numel() for p in create_model("mirnet", config).parameters())
        for config in (NARROW, {**NARROW, field: value})
    ]
    assert count[0] < count[1]


def test_fewer_streams_are_a_smaller_network():
    count = [
        sum(p.numel() for p in create_model("mirnet", {**NARROW, "height": height}).parameters())
        for height in (2, 3)
    ]
    assert count[0] < count[1]


def test_width_uses_the_same_weights_once_more():
    twice, thrice = (create_model("mirnet", {**NARROW, "width": width}) for width in (2, 3))
    thrice.load_state_dict(twice.state_dict())
    x = torch.rand(1, 3, 16, 16)
    assert not torch.allclose(twice.restore(x), thrice.restore(x))


@pytest.mark.parametrize("size", [(18, 16), (16, 22), (15, 15)])
def test_sizes_that_break_the_rule_fail(size):
    with pytest.raises(RuntimeError):
        create_model("mirnet", NARROW)(torch.rand(1, 3, *size))


def test_the_smallest_size():
    assert create_model("mirnet", NARROW).restore(torch.rand(1, 3, 4, 4)).shape == (1, 3, 4, 4)


@pytest.mark.parametrize(
    "values",
    [
        {"features": 6},
        {"features": 9},
        {"groups": 0},
        {"blocks_per_group": 0},
        {"height": 1},
        {"height": 4},
        {"width": 1},
    ],
)
def test_errors(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MIRNetConfig(**values)
