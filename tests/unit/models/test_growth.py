from __future__ import annotations

import pytest
import torch

from models import create_model
from models.growth import load_shallower


def network(seed, **config):
    torch.manual_seed(seed)
    return create_model("mimo-unet", {"width": 4, **config}).eval()


def test_a_deeper_network_goes_on_where_the_shallower_one_stood():
    shallow, deep = network(1, blocks=1), network(2, blocks=[1, 2, 3])
    load_shallower(deep, shallow.state_dict())
    x = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(deep(x), shallow(x), atol=1e-6, rtol=1e-5)


def test_added_blocks_learn():
    shallow, deep = network(1, blocks=1), network(2, blocks=[1, 1, 2])
    load_shallower(deep, shallow.state_dict())
    deep(torch.rand(1, 3, 24, 24))[0].square().mean().backward()
    assert deep.encoders[2][1].conv2.weight.grad.abs().max() > 0


@pytest.mark.parametrize("other", [{"width": 8}, {"blocks": 3}])
def test_what_does_not_fit_is_refused(other):
    with pytest.raises(ValueError, match=r"size mismatch|no place"):
        load_shallower(network(2, blocks=2), network(1, **{"blocks": 2, **other}).state_dict())
