from __future__ import annotations

import pytest
import torch
from torch import nn

from models import create_model
from models.growth import load_smaller


def network(seed, name="mimo-unet", **config):
    torch.manual_seed(seed)
    config = {"width": 4, **config} if name == "mimo-unet" else config
    return create_model(name, config).eval()


def assert_the_same(large, small):
    x = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        for got, want in zip(large(x), small(x), strict=True):
            torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


def test_a_deeper_network_goes_on_where_the_shallower_one_stood():
    shallow, deep = network(1, blocks=1), network(2, blocks=[1, 2, 3])
    load_smaller(deep, shallow)
    assert_the_same(deep, shallow)


def test_added_blocks_learn():
    shallow, deep = network(1, blocks=1), network(2, blocks=[1, 1, 2])
    load_smaller(deep, shallow)
    deep(torch.rand(1, 3, 24, 24))[0].square().mean().backward()
    assert deep.encoders[2][1].conv2.weight.grad.abs().max() > 0


def test_a_wider_network_goes_on_where_the_narrower_one_stood():
    narrow = network(1, "mprnet-local", features=4, unet_growth=2)
    wide = network(2, "mprnet-local", features=4, unet_growth=6)
    load_smaller(wide, narrow)
    assert_the_same(wide, narrow)


def test_a_network_of_more_scales_does_the_same_at_each():
    one = network(1, "mprnet-local", features=4, unet_growth=2)
    two = network(2, "mprnet-local", features=4, unet_growth=4, scales=2)
    load_smaller(two, one)
    x = torch.rand(1, 3, 32, 32)
    for got, want in zip(two.at_one_scale(x), one(x), strict=True):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


def test_added_channels_learn_and_are_listened_to():
    narrow = network(1, "mprnet-local", features=4, unet_growth=2)
    wide = network(2, "mprnet-local", features=4, unet_growth=6)
    load_smaller(wide, narrow)
    x = torch.rand(2, 3, 32, 32)
    optimizer = torch.optim.SGD(wide.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        sum((image - 0.5).square().mean() for image in wide(x)).backward()
        optimizer.step()
    down = wide.encoders[0].downs[0]
    assert isinstance(down, nn.Conv2d)
    assert down.weight.shape[0] == 10
    assert down.weight.grad[6:].abs().max() > 0, "the added channels"
    up = wide.decoders[0].ups[0].conv
    assert up.weight[:, 6:].abs().max() > 0, "what is made of them"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 8}, "size mismatch"),
        ({"blocks": 3}, "no place"),
    ],
)
def test_what_does_not_fit_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        load_smaller(network(2, blocks=2), network(1, **{"blocks": 2, **config}))


def test_widening_what_is_concatenated_is_refused():
    with pytest.raises(ValueError, match="change places"):
        load_smaller(network(2, width=8), network(1))
