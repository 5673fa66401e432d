from __future__ import annotations

import pytest
import torch

from models import create_model
from models.mprnet import MPRNetConfig

NARROW = {"features": 8, "unet_growth": 4, "orsnet_growth": 4, "blocks_per_group": 1}
ALIKE = pytest.mark.parametrize("name", ["mprnet", "mprnet-local"])


@ALIKE
def test_shape(name):
    stages = create_model(name, NARROW)(torch.rand(2, 3, 24, 40))
    assert [stage.shape for stage in stages] == [(2, 3, 24, 40)] * 3


@ALIKE
def test_values_of_the_identity(name):
    model = create_model(name, NARROW)
    model.start_from_identity()
    x = torch.rand(1, 3, 16, 24)
    for stage in model(x):
        torch.testing.assert_close(stage, x)


def test_parts_are_restored_by_themselves():
    # The first stage encodes quarters: what is in the right half reaches the left one only
    # through the decoder; the halves above and below it never see each other.
    model = create_model("mprnet", NARROW)
    x = torch.rand(1, 3, 16, 24)
    other = x.clone()
    other[..., 8:, :] = torch.rand(1, 3, 8, 24)
    torch.testing.assert_close(model(x)[2][..., :8, :], model(other)[2][..., :8, :])
    assert not torch.allclose(model(x)[1][..., :8, :], model(other)[1][..., :8, :])


def test_images_of_a_batch_are_restored_by_themselves():
    model = create_model("mprnet", NARROW)
    x = torch.rand(3, 3, 16, 24)
    for stage, first in zip(model(x), model(x[:1]), strict=True):
        torch.testing.assert_close(stage[:1], first)


def test_gradient_reaches_every_parameter():
    # Not squeezed, since one or two channels may all be shut by their ReLU.
    model = create_model("mprnet", {**NARROW, "reduction": 1})
    sum(stage.square().mean() for stage in model(torch.rand(2, 3, 32, 32))).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", 12),
        ("unet_growth", 8),
        ("orsnet_growth", 8),
        ("blocks_per_group", 2),
        ("reduction", 2),
    ],
)
def test_every_size_in_the_config_changes_the_network(field, value):
    count = [
        sum(p.numel() for p in create_model("mprnet", config).parameters())
        for config in (NARROW, {**NARROW, field: value})
    ]
    assert count[0] < count[1]


@pytest.mark.parametrize("size", [(12, 16), (16, 20), (15, 15), (4, 8)])
def test_sizes_that_break_the_rule_fail(size):
    with pytest.raises(RuntimeError):
        create_model("mprnet", NARROW)(torch.rand(1, 3, *size))


@pytest.mark.parametrize(
    "values",
    [
        {"features": 0},
        {"features": 3},
        {"reduction": 0},
        {"blocks_per_group": 0},
        {"unet_growth": -1},
        {"orsnet_growth": -1},
    ],
)
def test_errors(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MPRNetConfig(**values)
