"""Every network is the published one, name by name and number by number."""

from __future__ import annotations

import pytest
import torch

from models import ARCHITECTURES, create_model
from models.registry import config_values, preset
from restore_cli.weights.keymaps import mimo_unet, mirnet, mprnet, pss_nsc
from restore_cli.weights.keymaps.keymap import to_ours, to_published
from tests.parity.filling import arrays, description, digest, filled

# Fixture → preset, keymap, and the recorded stages in our order, the final one first.
NETWORKS = {
    "mimo_unet": ("mimo-unet", mimo_unet.KEYMAP, ("out2", "out1", "out0")),
    "mimo_unet_plus": ("mimo-unet-plus", mimo_unet.KEYMAP, ("out2", "out1", "out0")),
    "mprnet_deblur": ("mprnet", mprnet.KEYMAP, ("out0", "out1", "out2")),
    "mprnet_derain": ("mprnet-derain", mprnet.KEYMAP, ("out0", "out1", "out2")),
    "mprnet_denoise": ("mprnet-denoise", mprnet.KEYMAP, ("out0", "out1", "out2")),
    "mirnet": ("mirnet", mirnet.KEYMAP, ("out0",)),
    "pss_nsc": ("pss-nsc", pss_nsc.KEYMAP, ("out2", "out1", "out0")),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    name, keymap, stages = NETWORKS[request.param]
    architecture, config = preset(name)
    model = create_model(architecture, config_values(config)).eval()
    fixture, recorded = description(request.param), arrays(request.param)
    published = filled(fixture)
    model.load_state_dict(to_ours(published, keymap), strict=True)
    return fixture, published, keymap, model, recorded["x"], [recorded[name] for name in stages]


def test_filling(network):
    fixture, published, *_ = network
    assert len(published) == fixture["state_dict_entries"]
    assert digest(fixture, published) == fixture["fill_sha256"]


def test_values(network):
    *_, model, x, recorded = network
    with torch.inference_mode():
        stages = model(x)
    for stage, expected in zip(stages, recorded, strict=True):
        torch.testing.assert_close(stage, expected, atol=2e-5, rtol=0)


def test_parameter_count(network):
    fixture, _, _, model, *_ = network
    assert sum(p.numel() for p in model.parameters()) == fixture["param_count"]


def test_size_rule(network):
    fixture, _, _, model, *_ = network
    (multiple_of,) = [row.multiple_of for row in ARCHITECTURES.values() if row.build is type(model)]
    assert multiple_of == fixture["size_multiple"]


def test_published_names_come_back(network):
    _, published, keymap, model, *_ = network
    written = to_published(model.state_dict(), keymap)
    assert set(written) == set(published)
    for key, value in published.items():
        torch.testing.assert_close(written[key], value, atol=0, rtol=0)
