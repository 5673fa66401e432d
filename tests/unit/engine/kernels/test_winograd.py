"""What Winograd's kernels do beyond what test_conv3x3.py asks of all of them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.engine.kernels import winograd
from restore_cli.engine.kernels.winograd import Conv3x3, is_available

AGREEMENT_DB = 115

needs_kernels = pytest.mark.skipif(not is_available(), reason="no compiled kernels here")


def conv(channels):
    weight = torch.randn(channels, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
    return weight, 0.1 * torch.randn(channels)


def exact(x, weight, bias):
    """Return the convolution in float64."""
    return F.conv2d(x.double(), weight.double(), bias.double(), padding=1)


@needs_kernels
def test_widest():
    weight, bias = conv(512)
    x = torch.randn(1, 512, 20, 16)
    ours, wanted = Conv3x3(weight, bias)(x), exact(x, weight, bias)
    error = (ours - wanted).square().mean()
    assert 10 * torch.log10(wanted.square().max() / error) > AGREEMENT_DB


@needs_kernels
def test_every_pixel_of_many_blocks():
    weight, bias = conv(32)
    x = torch.randn(2, 32, 97, 130)
    ours, wanted = Conv3x3(weight, bias)(x), exact(x, weight, bias)
    assert float((ours - wanted).abs().max()) < 1e-4


@needs_kernels
def test_autocast_rounds_no_weights():
    weight, bias = conv(32)
    x, gradient = torch.randn(2, 1, 32, 12, 12).unbind()
    alone = Conv3x3(weight, bias)(x), winograd.weight_gradient(x, gradient)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Conv3x3(weight, bias)(x), alone[0])
        assert torch.equal(winograd.weight_gradient(x, gradient)[0], alone[1])


@needs_kernels
def test_gradients_can_be_repeated():
    x, gradient = torch.randn(2, 4, 64, 64, 64).unbind()
    first, _ = winograd.weight_gradient(x, gradient)
    for _ in range(20):
        assert torch.equal(winograd.weight_gradient(x, gradient)[0], first)
