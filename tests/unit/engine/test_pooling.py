"""Local and global means as the engine uses them; models/pooling.py has tests of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models import ARCHITECTURES, create_model
from models.blocks.attention import ChannelAttention
from restore_cli.engine.restorer import Restorer
from restore_cli.weights.card import ModelCard

WINDOW = 64  # in place of 256 and 128 pixels, so that small images are larger than it
TOLERANCE = 2e-5  # 0.005 of an 8-bit step
CONFIGS = {
    "mprnet": {"features": 8, "unet_growth": 4, "orsnet_growth": 4, "blocks_per_group": 1},
    "mirnet": {"features": 8, "groups": 1, "blocks_per_group": 1},
}


@pytest.fixture(params=CONFIGS)
def model(request, monkeypatch):
    """A narrow network, with its card, whose attention has a say in the result."""
    name = request.param
    monkeypatch.setitem(ARCHITECTURES, name, replace(ARCHITECTURES[name], patch=WINDOW))
    network = create_model(name, CONFIGS[name]).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ChannelAttention):
            for parameter in module.parameters():
                parameter.data *= 16
    card = ModelCard(name, name, CONFIGS[name], "deblur", "seeded, untrained", "Apache-2.0")
    return network, card


@pytest.fixture
def restored(model):
    def run(pixels, pooling, tile=0):
        engine = Restorer(
            model, device="cpu", precision="fp32", pooling=pooling, tile=tile, check=False
        )
        return engine(pixels)

    return run


@pytest.fixture
def wide(rng):
    """An image of several windows, darker on the left: its means differ from place to place."""
    pixels = rng.random((96, 320, 3), dtype=np.float32)
    pixels[:, :160] *= 0.3
    return pixels


@pytest.mark.parametrize("size", [(48, 64), (64, 33)])
def test_an_image_no_larger_than_the_window_is_the_same_with_both(restored, rng, size):
    pixels = rng.random((*size, 3), dtype=np.float32)
    np.testing.assert_array_equal(restored(pixels, "local"), restored(pixels, "global"))


@pytest.mark.parametrize("tile", [192, 256])
def test_tiles_agree_with_the_whole_with_local_means_only(restored, wide, tile):
    def error(pooling):
        difference = restored(wide, pooling, tile) - restored(wide, pooling)
        return np.abs(difference).max()

    assert error("local") <= TOLERANCE
    assert error("global") > TOLERANCE


def test_auto_is_local(restored, wide):
    automatic = restored(wide, "auto")
    np.testing.assert_array_equal(automatic, restored(wide, "local"))
    assert np.abs(automatic - restored(wide, "global")).max() > TOLERANCE


def test_networks_without_such_means_take_either(narrow, rng):
    pixels = rng.random((70, 90, 3), dtype=np.float32)
    results = [
        Restorer(narrow, device="cpu", precision="fp32", pooling=pooling, check=False)(pixels)
        for pooling in ("auto", "local", "global")
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_training_goes_on_with_global_means(model, wide):
    network, _ = model
    x = torch.from_numpy(wide).permute(2, 0, 1)[None]
    before = network.restore(x)
    Restorer(model, device="cpu", precision="fp32", check=False)(wide)
    torch.testing.assert_close(network.restore(x), before, atol=0, rtol=0)
