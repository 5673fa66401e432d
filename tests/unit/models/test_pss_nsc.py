from __future__ import annotations

import pytest
import torch

from models import create_model
from models.pss_nsc import PSSNSCConfig

NARROW = {"width": 4, "units": 1, "repeats": 1}


def test_shape():
    full, half, quarter = create_model("pss-nsc", NARROW)(torch.rand(2, 3, 32, 48))
    assert full.shape == (2, 3, 32, 48)
    assert half.shape == (2, 3, 16, 24)
    assert quarter.shape == (2, 3, 8, 12)


def test_values_of_the_identity():
    model = create_model("pss-nsc", NARROW)
    model.start_from_identity()
    x = torch.rand(1, 3, 16, 32)
    full, half, quarter = model(x)
    torch.testing.assert_close(full, x)
    torch.testing.assert_close(half, x[..., ::2, ::2])
    torch.testing.assert_close(quarter, x[..., ::4, ::4])


def test_planes_are_restored_by_themselves():
    model = create_model("pss-nsc", NARROW)
    x = torch.rand(2, 3, 16, 32)
    restored = model.restore(x)
    torch.testing.assert_close(model.restore(x.flip(1)), restored.flip(1))
    torch.testing.assert_close(model.restore(x[:, :1]), restored[:, :1])


def test_no_gradient_flows_from_scale_to_scale():
    model = create_model("pss-nsc", NARROW)
    model.restore(torch.rand(1, 3, 32, 32)).square().mean().backward()
    coarse = [p.grad for name, p in model.named_parameters() if name.startswith("scales.2.")]
    assert coarse
    assert all(grad is None for grad in coarse)


def test_gradient_reaches_every_parameter():
    model = create_model("pss-nsc", NARROW)
    sum(stage.square().mean() for stage in model(torch.rand(2, 3, 32, 32))).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(("field", "value"), [("width", 8), ("units", 2)])
def test_every_size_in_the_config_changes_the_network(field, value):
    count = [
        sum(p.numel() for p in create_model("pss-nsc", config).parameters())
        for config in (NARROW, {**NARROW, field: value})
    ]
    assert count[0] < count[1]


def test_repeats_use_the_same_weights_once_more():
    once, twice = (create_model("pss-nsc", {**NARROW, "repeats": n}) for n in (1, 2))
    twice.load_state_dict(once.state_dict())
    x = torch.rand(1, 3, 16, 16)
    assert not torch.allclose(once.restore(x), twice.restore(x))


@pytest.mark.parametrize("size", [(24, 16), (16, 20), (15, 15)])
def test_sizes_that_break_the_rule_fail(size):
    with pytest.raises(RuntimeError):
        create_model("pss-nsc", NARROW)(torch.rand(1, 3, *size))


@pytest.mark.parametrize("values", [{"width": 0}, {"units": 0}, {"repeats": 0}])
def test_errors(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        PSSNSCConfig(**values)
