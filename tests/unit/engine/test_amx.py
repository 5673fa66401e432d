"""What AMX's kernels do beyond what test_conv3x3.py asks of all of them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.engine.kernels.amx import Conv3x3, ResidualBlock, is_available

needs_amx = pytest.mark.skipif(not is_available(), reason="no AMX, or no kernels for it, here")

HALF_A_STEP = 2**-8  # of what bfloat16 rounds to, relative


def rounded(*shape):
    """Return random numbers that bfloat16 has."""
    return torch.randn(*shape).bfloat16()


def block_of(channels, bias=True):
    first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=bias) for _ in range(2))
    for layer in (first, second):
        layer.requires_grad_(False)
        layer.weight.copy_(layer.weight.bfloat16())
    return first, second


def exact(x, conv):
    """Return the convolution in float64."""
    bias = None if conv.bias is None else conv.bias.double()
    return F.conv2d(x.double(), conv.weight.double(), bias, padding=1)


def exact_block(first, second, slope, x):
    inside = exact(x, first)
    inside = torch.where(inside < 0, slope * inside, inside).bfloat16()  # as it is between them
    return exact(inside, second) + x.double()


@needs_amx
def test_widest():
    conv = nn.Conv2d(512, 512, 3, padding=1).requires_grad_(False)
    conv.weight.copy_(rounded(*conv.weight.shape) / 2**7)
    x = rounded(1, 512, 5, 9)
    ours = Conv3x3(conv.weight, conv.bias)(x)
    torch.testing.assert_close(ours.double(), exact(x, conv), rtol=HALF_A_STEP, atol=1e-3)


@needs_amx
@pytest.mark.parametrize("channels", [8, 16, 24, 48, 64, 112])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (9, 70)])
@pytest.mark.parametrize("bias", [False, True])
def test_block(channels, size, bias):
    first, second = block_of(channels, bias)
    x = rounded(3, channels, *size)
    ours = ResidualBlock(first, 0.2, second)(x)
    # Sums in another order may round what is inside to its neighbour.
    torch.testing.assert_close(
        ours.double(), exact_block(first, second, 0.2, x), rtol=HALF_A_STEP, atol=2e-3
    )


@needs_amx
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("size", [(130, 140), (5, 4000)])  # the latter in parts of a row each
def test_block_in_place(threads, size):
    first, second = block_of(32)
    block = ResidualBlock(first, 0.0, second)
    x = rounded(2, 32, *size).contiguous(memory_format=torch.channels_last)
    wanted = block(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = block(x, in_place=True)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(ours, wanted)
    assert ours.data_ptr() == x.data_ptr()


@needs_amx
def test_a_block_writes_to_nothing_it_is_given():
    wide = rounded(2, 16, 20, 24)
    kept = wide.clone()
    first, second = block_of(16)
    ours = ResidualBlock(first, 0.1, second)(wide[:, :, 3:15, 5:15])
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(wide, kept)


def test_a_block_has_as_many_channels_all_along():
    layers = [nn.Conv2d(*channels, 3, padding=1) for channels in ((16, 16), (16, 24), (24, 16))]
    assert ResidualBlock.takes(layers[0], layers[0])
    assert not ResidualBlock.takes(layers[0], layers[1])
    assert not ResidualBlock.takes(layers[1], layers[2])
