from __future__ import annotations

import pytest
import torch

from models import create_model
from models.blocks.resize import bicubic_double, bilinear_halve
from models.mprnet_local import LocalMPRNetConfig

NARROW = {"features": 8, "unet_growth": 4, "orsnet_growth": 4}


def test_every_stage_sees_the_image_in_one_piece():
    model = create_model("mprnet-local", NARROW)
    x = torch.rand(1, 3, 16, 24)
    other = x.clone()
    other[..., 8:, :] = torch.rand(1, 3, 8, 24)  # below the middle, where an MPRNet parts it
    assert not torch.allclose(model(x)[2][..., :8, :], model(other)[2][..., :8, :])


def test_it_is_mprnet_with_the_attention_left_out():
    sizes = {**NARROW, "blocks_per_group": 1}
    torch.manual_seed(0)
    full = create_model("mprnet", sizes)
    local = create_model("mprnet-local", sizes)
    shared = {k: v for k, v in full.state_dict().items() if ".attention." not in k}
    local.load_state_dict(shared)  # every other weight has its place
    for name, weight in full.named_parameters():
        if name.endswith("attention.excite.weight"):
            weight.data.zero_()  # every gate is then a half
    for name, weight in local.named_parameters():
        if name.endswith("conv2.weight"):
            weight.data.mul_(0.5)
    full.set_window(1)  # in one piece
    x = torch.rand(1, 3, 32, 48)
    for ours, theirs in zip(local(x), full(x), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_half_is_restored_before_the_whole():
    one, two = (create_model("mprnet-local", {**NARROW, "scales": n}) for n in (1, 2))
    two.load_state_dict(one.state_dict())
    x = torch.rand(1, 3, 32, 48)
    half = bilinear_halve(x)
    changed = x + bicubic_double(one(half)[0] - half)
    for got, want in zip(two(x), one(changed), strict=True):
        torch.testing.assert_close(got, want)
    for got, want in zip(two.at_one_scale(x), one(x), strict=True):
        torch.testing.assert_close(got, want)


def test_an_untrained_network_of_several_scales_is_the_identity():
    model = create_model("mprnet-local", {**NARROW, "scales": 3})
    model.start_from_identity()
    x = torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(model.restore(x), x)


def test_gradient_reaches_every_parameter():
    model = create_model("mprnet-local", NARROW)
    sum(stage.square().mean() for stage in model(torch.rand(2, 3, 32, 32))).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    "values",
    [
        {"features": 0},
        {"blocks_per_group": 0},
        {"unet_growth": -1},
        {"orsnet_growth": -1},
        {"scales": 0},
    ],
)
def test_errors(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        LocalMPRNetConfig(**values)
