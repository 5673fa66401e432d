from __future__ import annotations

import pytest
import torch

from models import create_model
from models.mimo_unet import MIMOUNetConfig

NARROW = {"width": 8, "blocks": 1}


def test_shape():
    model = create_model("mimo-unet", NARROW)
    full, half, quarter = model(torch.rand(2, 3, 24, 36))
    assert full.shape == (2, 3, 24, 36)
    assert half.shape == (2, 3, 12, 18)
    assert quarter.shape == (2, 3, 6, 9)


def test_values_of_the_identity():
    model = create_model("mimo-unet", NARROW)
    model.start_from_identity()
    x = torch.rand(1, 3, 16, 20)
    full, half, quarter = model(x)
    torch.testing.assert_close(full, x)
    torch.testing.assert_close(half, x[..., ::2, ::2])
    torch.testing.assert_close(quarter, x[..., ::4, ::4])
    torch.testing.assert_close(model.restore(x), x)


def test_gradient_reaches_every_parameter():
    model = create_model("mimo-unet", NARROW)
    sum(stage.square().mean() for stage in model(torch.rand(1, 3, 32, 32))).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(("field", "value"), [("width", 12), ("blocks", 2), ("blocks", [1, 1, 2])])
def test_every_size_in_the_config_changes_the_network(field, value):
    count = [
        sum(p.numel() for p in create_model("mimo-unet", config).parameters())
        for config in (NARROW, {**NARROW, field: value})
    ]
    assert count[0] < count[1]


def test_dropout_acts_in_training_only():
    model = create_model("mimo-unet", {**NARROW, "dropout": 0.5})
    x = torch.rand(1, 3, 16, 16)
    assert not torch.equal(model.restore(x), model.restore(x))
    model.eval()
    torch.testing.assert_close(model.restore(x), model.restore(x), atol=0, rtol=0)


@pytest.mark.parametrize("size", [(18, 16), (16, 22), (15, 15)])
def test_sizes_that_break_the_rule_fail(size):
    with pytest.raises(RuntimeError):
        create_model("mimo-unet", NARROW)(torch.rand(1, 3, *size))


@pytest.mark.parametrize(
    "values",
    [{"width": 10}, {"width": 0}, {"blocks": 0}, {"blocks": [1, 2]}, {"dropout": 1.0}],
)
def test_errors(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MIMOUNetConfig(**values)
