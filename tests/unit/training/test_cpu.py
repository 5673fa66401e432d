from __future__ import annotations

import pytest
import torch
from torch import nn

from models import create_model
from restore_cli.engine.kernels.selection import kernels_for
from restore_cli.engine.kernels.training_layers import CompiledConv2d
from restore_cli.training.cpu import SingleSlope, prepare_for_cpu

SLIM = {"features": 8, "unet_growth": 4, "orsnet_growth": 0, "blocks_per_group": 1}


def gradients(layer, x, weights):
    x = x.clone().requires_grad_()
    result = layer(x)
    (result * weights).sum().backward()
    return result.detach(), x.grad, layer.weight.grad


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5])
def test_a_single_slope_learns_as_pytorch_s_prelu(layout, slope):
    x, weights = (torch.randn(2, 5, 8, 6).contiguous(memory_format=layout) for _ in range(2))
    expected = gradients(nn.PReLU(init=slope), x, weights)
    for ours, theirs in zip(gradients(SingleSlope(init=slope), x, weights), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_slope_of_half_precision_is_summed_in_full():
    layer = SingleSlope()
    x = torch.full((1, 1, 200, 200), -1.0, dtype=torch.bfloat16)
    layer(x).float().sum().backward()
    assert layer.weight.grad.item() == -40000


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_prepared_network_is_the_same_network(precision):
    network = create_model("mprnet-local", SLIM)
    x = torch.rand(1, 3, 32, 32)
    expected, names = network(x), [*network.state_dict()]
    prepare_for_cpu(network, precision)
    assert [*network.state_dict()] == names
    for stage, before in zip(network(x), expected, strict=True):
        torch.testing.assert_close(stage, before, atol=1e-5, rtol=1e-5)


def test_what_is_exchanged_depends_on_the_precision():
    kinds = {}
    for precision in ("no", "bf16"):
        network = create_model("mprnet-local", SLIM)
        prepare_for_cpu(network, precision)
        kinds[precision] = {type(module) for module in network.modules()}
    assert SingleSlope not in kinds["no"]
    assert SingleSlope in kinds["bf16"]
    assert nn.Conv2d in kinds["bf16"]
    assert (CompiledConv2d in kinds["no"]) == (kernels_for(torch.float32) is not None)
    assert (CompiledConv2d in kinds["bf16"]) == (kernels_for(torch.bfloat16) is not None)


def test_slopes_of_each_channel_are_left_to_pytorch():
    network = nn.Sequential(nn.PReLU(4), nn.PReLU(1))
    prepare_for_cpu(network, "bf16")
    assert [type(layer) for layer in network] == [nn.PReLU, SingleSlope]
