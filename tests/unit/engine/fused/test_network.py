import copy

import pytest
import torch
from torch import nn

from models import create_model
from models.pooling import set_pooling
from restore_cli.engine.fused.convolution import FusedConv
from restore_cli.engine.fused.network import fused

NARROW = {
    "mimo-unet": {"width": 8, "blocks": [1, 2, 1]},
    "mprnet": {"features": 16, "unet_growth": 8, "orsnet_growth": 8, "blocks_per_group": 1},
    "mprnet-local": {"features": 16, "unet_growth": 8, "orsnet_growth": 8},
    "mirnet": {"features": 16, "groups": 1, "blocks_per_group": 1},
    "pss-nsc": {"width": 8, "units": 1},
    "formresnet": {"features": 8, "depth": 3},
    "diffresnet": {"features": 8, "depth": 4},
}


def seeded(name):
    torch.manual_seed(1)
    network = create_model(name, NARROW[name])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # as training leaves it
            nn.init.normal_(module.weight, 1, 0.1)
            nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.PReLU):
            nn.init.constant_(module.weight, 0.17)
    return network.eval()


def psnr_db(result, expected):
    return -10 * torch.log10((result - expected).square().mean()).item()


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("name", NARROW)
@torch.inference_mode()
def test_the_result_is_that_of_the_trained_network(name, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    network = seeded(name)
    x = torch.rand(1, 3, 48, 64)
    expected = network.restore(x)
    assert not torch.allclose(expected, x, atol=1e-3), "a network that does something"
    assert psnr_db(fused(network).restore(x), expected) > 110


@pytest.mark.parametrize("name", ["mprnet", "mirnet"])
@torch.inference_mode()
def test_local_means_stay_local(name):
    network = seeded(name)
    x = torch.rand(1, 3, 64, 96)
    set_pooling(network, 32)
    torch.testing.assert_close(fused(network).restore(x), network.restore(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NARROW)
def test_the_trained_network_is_left_alone(name):
    network = seeded(name).train()
    kept = copy.deepcopy(network.state_dict())
    result = fused(network)
    assert network.training
    assert not result.training
    torch.testing.assert_close(network.state_dict(), kept, atol=0, rtol=0)
    assert not any(isinstance(module, FusedConv) for module in network.modules())


@pytest.mark.parametrize("name", NARROW)
def test_no_activation_is_left_beside_a_convolution(name):
    """Every convolution that can take one up has done so."""
    layers = [m for m in fused(seeded(name)).modules() if isinstance(m, nn.Sequential)]
    for left, right in (pair for s in layers for pair in zip(s, list(s)[1:], strict=False)):
        assert not (isinstance(left, FusedConv) and isinstance(right, nn.ReLU | nn.BatchNorm2d))


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bf16 on this processor"
)
@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("name", ["mimo-unet", "mprnet", "mprnet-local", "mirnet"])
@torch.inference_mode()
def test_bf16_is_close(name, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    network = seeded(name)
    x = torch.rand(1, 3, 48, 64)
    with torch.autocast("cpu", torch.bfloat16):
        result = fused(network, torch.bfloat16).restore(x)
    assert psnr_db(result.float(), network.restore(x)) > 45


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("slope", [None, 0.0, 0.2])
@torch.inference_mode()
def test_one_convolution(slope, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    conv = nn.Conv2d(16, 24, 3, padding=1).requires_grad_(False)
    x, other = torch.randn(2, 16, 11, 13), torch.randn(2, 24, 11, 13)
    plain = conv(x)
    expected = plain if slope is None else nn.functional.leaky_relu(plain, slope)
    torch.testing.assert_close(
        FusedConv(conv, slope, torch.float32)(x), expected, atol=1e-5, rtol=0
    )
    summed = FusedConv(conv, None, torch.float32).plus(x, other)
    torch.testing.assert_close(summed, plain + other, atol=1e-5, rtol=0)
