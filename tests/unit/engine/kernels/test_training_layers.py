from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from models import create_model
from restore_cli.engine.fused.network import fused
from restore_cli.engine.kernels.selection import kernels_for
from restore_cli.engine.kernels.training_layers import (
    CompiledConv2d,
    PointwiseConv2d,
    use_compiled_kernels,
)
from restore_cli.engine.kernels.winograd import is_available

needs_kernels = pytest.mark.skipif(not is_available(), reason="no compiled kernels here")
needs_bf16 = pytest.mark.skipif(
    kernels_for(torch.bfloat16) is None, reason="no compiled kernels for bf16 here"
)


def gradients(network, x):
    network.zero_grad()
    sum(stage.square().mean() for stage in network(x)).backward()
    return {name: value.grad.clone() for name, value in network.named_parameters()}


NARROW = {
    "mimo-unet": {"blocks": 1},
    "mprnet": {"unet_growth": 8, "orsnet_growth": 0, "blocks_per_group": 1},
    "mprnet-local": {"unet_growth": 8, "orsnet_growth": 0, "blocks_per_group": 1},
    "mirnet": {"groups": 1, "blocks_per_group": 1},
}


def narrow(name="mimo-unet", channels=8):
    key = "width" if name == "mimo-unet" else "features"
    return create_model(name, NARROW[name] | {key: channels})


@needs_kernels
@pytest.mark.parametrize("name", NARROW)
def test_the_network_learns_the_same(name):
    plain = narrow(name)
    compiled = copy.deepcopy(plain)
    assert use_compiled_kernels(compiled) > 10
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    x = torch.rand(2, 3, 32, 40)
    wanted, ours = gradients(plain, x), gradients(compiled, x)
    for name, value in wanted.items():
        assert torch.allclose(ours[name], value, rtol=1e-3, atol=1e-5 * value.abs().max()), name


@needs_bf16
@pytest.mark.parametrize("name", NARROW)
def test_in_bf16_it_is_no_further_from_fp32_than_autocast(name):
    plain = narrow(name, channels=16)
    compiled = copy.deepcopy(plain)
    assert use_compiled_kernels(compiled, torch.bfloat16) > 10
    x = torch.rand(2, 3, 64, 72)
    wanted = gradients(plain, x)
    with torch.autocast("cpu", torch.bfloat16):
        theirs, ours = gradients(plain, x), gradients(compiled, x)
    for name, value in ours.items():
        assert value.dtype == torch.float32, name
    assert distance(ours, wanted) < 1.1 * distance(theirs, wanted)


def distance(ours, wanted):
    """Return the mean of how far off gradients are, relative to their size, where there are any."""
    each = [(ours[k] - v).norm() / v.norm() for k, v in wanted.items() if v.count_nonzero()]
    return torch.stack(each).mean().item()


@needs_bf16
def test_in_bf16_convolutions_of_fp32_are_autocast_s():
    network = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1))
    x = torch.rand(1, 16, 16, 16)
    wanted = network(x)
    assert use_compiled_kernels(network, torch.bfloat16) == 1
    torch.testing.assert_close(network(x), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x).dtype == torch.bfloat16


@needs_kernels
@pytest.mark.parametrize("slope", [1e-2, 1e-6, -0.3])
def test_slopes_of_any_size_are_learned(slope):
    plain = narrow("mprnet-local").double()
    nn.init.constant_(plain.activation.weight, slope)
    compiled = copy.deepcopy(plain).float()
    use_compiled_kernels(compiled)
    x = torch.rand(2, 3, 32, 40)
    wanted = gradients(plain, x.double())["activation.weight"]
    ours = gradients(compiled, x)["activation.weight"]
    assert torch.allclose(ours.double(), wanted, rtol=1e-3)


@needs_kernels
def test_parameters_are_shared():
    network = narrow()
    before = dict(network.named_parameters())
    use_compiled_kernels(network)
    assert all(value is before[name] for name, value in network.named_parameters())


@needs_kernels
def test_only_fitting_convolutions_are_exchanged():
    network = nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3),
        nn.Conv2d(8, 8, 3, 2, padding=1),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2),
        nn.Conv2d(16, 16, 3, padding=1, groups=2),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(8, 8, 1, padding=1),
        nn.Conv2d(8, 8, 1),
    )
    assert use_compiled_kernels(network) == 2
    kinds = [type(conv) for conv in network]
    assert kinds == [CompiledConv2d] + [nn.Conv2d] * 7 + [PointwiseConv2d]


@needs_kernels
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_matrix_product_is_a_pointwise_convolution(layout):
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 5, 1, bias=False))
    x = torch.rand(2, 3, 9, 7).contiguous(memory_format=layout)
    wanted = network(x)
    use_compiled_kernels(network)
    torch.testing.assert_close(network(x), wanted)


@needs_kernels
def test_other_types_go_the_usual_way():
    network = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1))
    use_compiled_kernels(network)
    x = torch.rand(1, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x.bfloat16()).dtype == torch.bfloat16
    assert network.double()(x.double()).dtype == torch.float64


@needs_kernels
def test_it_can_be_fused_for_restoring():
    network = narrow().eval()
    use_compiled_kernels(network)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        quick = fused(network)
        assert torch.allclose(quick(x)[0], network(x)[0], atol=1e-5)


def test_without_kernels_nothing_changes(monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", "off")
    network = narrow()
    assert use_compiled_kernels(network) == 0
    assert not any(isinstance(module, CompiledConv2d) for module in network.modules())
