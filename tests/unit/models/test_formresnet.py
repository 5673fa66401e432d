from __future__ import annotations

import sys

import pytest
import torch

from models import create_model
from models.formresnet import DiffResNetConfig, FormResNetConfig

NARROW = {
    "diffresnet": {"features": 4, "depth": 3},
    "formresnet": {"features": 4, "depth": 3, "stages": 3},
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "stages"), [("diffresnet", 1), ("formresnet", 2)])
def test_shape(name, stages, channels):
    images = create_model(name, {**NARROW[name], "channels": channels})(torch.rand(2, 3, 5, 7))
    assert [image.shape for image in images] == [(2, 3, 5, 7)] * stages


@pytest.mark.parametrize("name", NARROW)
def test_values_of_the_identity(name):
    model = create_model(name, NARROW[name])
    model.start_from_identity()
    x = torch.rand(1, 3, 8, 9)
    for stage in model(x):
        torch.testing.assert_close(stage, x)


def test_values_are_the_input_less_the_difference():
    model = create_model("diffresnet", NARROW["diffresnet"])
    model.start_from_identity()
    torch.nn.init.constant_(model.stage.tail.bias, 0.25)
    x = torch.rand(1, 3, 8, 9)
    torch.testing.assert_close(model.restore(x), x - 0.25)


def test_stages_follow_each_other():
    model = create_model("formresnet", NARROW["formresnet"]).eval()
    x = torch.rand(1, 3, 8, 9)
    final, formatted = model(x)
    torch.testing.assert_close(formatted, model.formatting(x))
    torch.testing.assert_close(final, model.refining(formatted))


def test_planes_or_colours():
    x = torch.rand(1, 3, 8, 9)
    planes = create_model("diffresnet", NARROW["diffresnet"]).eval()
    torch.testing.assert_close(planes.restore(x.flip(1)), planes.restore(x).flip(1))
    colours = create_model("diffresnet", {**NARROW["diffresnet"], "channels": 3}).eval()
    assert not torch.allclose(colours.restore(x.flip(1)), colours.restore(x).flip(1))


@pytest.mark.parametrize("name", NARROW)
def test_gradient_reaches_every_parameter(name):
    model = create_model(name, NARROW[name])
    sum(stage.square().mean() for stage in model(torch.rand(2, 3, 16, 16))).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("diffresnet", "features", 8),
        ("diffresnet", "depth", 4),
        ("diffresnet", "channels", 3),
        ("formresnet", "features", 8),
        ("formresnet", "depth", 4),
        ("formresnet", "stages", 4),
        ("formresnet", "channels", 3),
    ],
)
def test_every_size_in_the_config_changes_the_network(name, field, value):
    count = [
        sum(p.numel() for p in create_model(name, config).parameters())
        for config in (NARROW[name], {**NARROW[name], field: value})
    ]
    assert count[0] < count[1]


@pytest.mark.parametrize("values", [{"features": 0}, {"depth": 1}, {"channels": 2}, {"stages": 1}])
def test_errors(values):
    config = FormResNetConfig if "stages" in values else DiffResNetConfig
    with pytest.raises(ValueError, match=next(iter(values))):
        config(**values)


@pytest.mark.parametrize("size", [(1, 1), (16, 17)])
def test_a_classical_denoiser_may_format(size):
    pytest.importorskip("kornia")
    config = {**NARROW["formresnet"], "formatting": "bilateral"}
    model = create_model("formresnet", config).eval()
    model.start_from_identity()
    noisy = 0.5 + 0.05 * torch.randn(1, 3, *size)
    final, formatted = model(noisy)
    torch.testing.assert_close(final, formatted)  # nothing learned yet
    assert formatted.shape == noisy.shape
    if size != (1, 1):
        assert formatted.std() < 0.7 * noisy.std()
    assert len(model.output_layers()) == 2


def test_a_missing_library_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.filters", None)
    with pytest.raises(ModuleNotFoundError, match=r"restore-cli\[classical\]"):
        create_model("formresnet", {**NARROW["formresnet"], "formatting": "bilateral"})
