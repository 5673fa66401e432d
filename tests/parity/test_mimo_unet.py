"""MIMO-UNet and MIMO-UNet+ are the published networks, name by name and number by number."""

from __future__ import annotations

import pytest
import torch

from models import create_model
from models.mimo_unet import MIMO_UNET, MIMO_UNET_PLUS
from models.registry import config_values
from restore_cli.weights.keymaps.mimo_unet import RULES
from restore_cli.weights.keymaps.rules import rename
from tests.parity.filling import arrays, description, filled

NETWORKS = {"mimo_unet": MIMO_UNET, "mimo_unet_plus": MIMO_UNET_PLUS}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    fixture = description(request.param)
    model = create_model("mimo-unet", config_values(NETWORKS[request.param])).eval()
    published = filled(fixture)
    names = rename(published, RULES)
    model.load_state_dict({names[key]: value for key, value in published.items()}, strict=True)
    return fixture, model, arrays(request.param)


def test_values(network):
    _, model, recorded = network
    with torch.inference_mode():
        stages = model(recorded["x"])
    # Theirs runs from coarse to fine.
    for stage, name in zip(stages, ("out2", "out1", "out0"), strict=True):
        torch.testing.assert_close(stage, recorded[name], atol=2e-5, rtol=0)


def test_parameter_count(network):
    fixture, model, _ = network
    assert sum(p.numel() for p in model.parameters()) == fixture["param_count"]
