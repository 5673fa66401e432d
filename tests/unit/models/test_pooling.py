from __future__ import annotations

import pytest
import torch

from models import create_model
from models.blocks.attention import ContextMean
from models.pooling import set_pooling

NETWORKS = {
    "mprnet": {"features": 8, "unet_growth": 4, "orsnet_growth": 4, "blocks_per_group": 1},
    "mirnet": {"features": 8, "groups": 1, "blocks_per_group": 1},
}


@pytest.fixture(params=NETWORKS)
def model(request):
    return create_model(request.param, NETWORKS[request.param]).eval().requires_grad_(False)


def test_an_image_no_larger_than_the_window_is_restored_as_without(model):
    x = torch.rand(1, 3, 24, 32)
    expected = model(x)
    set_pooling(model, 32)
    for stage, whole in zip(model(x), expected, strict=True):
        torch.testing.assert_close(stage, whole, atol=0, rtol=0)


def test_a_larger_image_is_restored_otherwise(model):
    x = torch.rand(1, 3, 24, 32)
    expected = model.restore(x)
    set_pooling(model, 16)
    assert not torch.allclose(model.restore(x), expected)
    set_pooling(model, None)
    torch.testing.assert_close(model.restore(x), expected, atol=0, rtol=0)


def test_every_mean_gets_its_window(model):
    set_pooling(model, 64)
    means = [module for module in model.modules() if isinstance(module, ContextMean)]
    assert means
    assert all(
        mean.window == (round(64 * mean.share[0]), round(64 * mean.share[1])) for mean in means
    )


def test_windows_that_stay_inside_do_not_feel_the_rest(model):
    # What is far away does not matter with local means, and does with global ones.
    x = torch.rand(1, 3, 8, 1024)
    other = x.clone()
    other[..., 768:] = torch.rand(1, 3, 8, 256)
    assert not torch.equal(model.restore(x)[..., :64], model.restore(other)[..., :64])
    set_pooling(model, 8)
    near, far = model.restore(x)[..., :64], model.restore(other)[..., :64]
    torch.testing.assert_close(near, far, atol=1e-6, rtol=0)


def test_a_network_without_means_is_left_alone():
    model = create_model("mimo-unet", {"width": 4, "blocks": 1})
    x = torch.rand(1, 3, 16, 16)
    expected = model.restore(x)
    set_pooling(model, 4)
    torch.testing.assert_close(model.restore(x), expected, atol=0, rtol=0)


def test_errors(model):
    with pytest.raises(ValueError, match="window 0"):
        set_pooling(model, 0)
