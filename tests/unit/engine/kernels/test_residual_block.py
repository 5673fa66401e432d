"""Residual blocks in one pass: AMX's, and those of few channels on AVX-512."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.blocks.conv import ResidualBlock
from restore_cli.engine.fused.blocks import FusedResidualBlock, OnePassBlock, fused_block
from restore_cli.engine.kernels import amx, avx512_block

CHANNELS = {amx: [8, 16, 24, 48, 64, 112], avx512_block: [16, 24]}
HALF_A_STEP = 2**-8  # of what bfloat16 rounds to, relative


def wherever(kernels, *values, name):
    """Return a case for a library, skipped where it is not there."""
    skip = pytest.mark.skipif(not kernels.is_available(), reason="no such kernels here")
    return pytest.param(kernels.ResidualBlock, *values, marks=skip, id=name)


EACH = [wherever(amx, name="amx"), wherever(avx512_block, name="avx512_block")]
IN_PLACE = [
    wherever(amx, 32, name="amx-32"),
    *(
        wherever(avx512_block, channels, name=f"avx512_block-{channels}")
        for channels in CHANNELS[avx512_block]
    ),
]
EACH_WIDTH = [
    wherever(kernels, channels, name=f"{kernels.__name__.rpartition('.')[2]}-{channels}")
    for kernels, widths in CHANNELS.items()
    for channels in widths
]


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


@pytest.mark.parametrize(("kind", "channels"), EACH_WIDTH)
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (4, 17), (9, 70)])
@pytest.mark.parametrize("bias", [False, True])
def test_as_both_convolutions(kind, channels, size, bias):
    first, second = block_of(channels, bias)
    x = rounded(3, channels, *size)
    ours = kind(first, 0.2, second)(x)
    # Sums in another order may round what is inside to its neighbour.
    torch.testing.assert_close(
        ours.double(), exact_block(first, second, 0.2, x), rtol=HALF_A_STEP, atol=2e-3
    )


@pytest.mark.parametrize(("kind", "channels"), IN_PLACE)
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("size", [(130, 140), (5, 4000)])  # the latter in parts of a row each
def test_in_place(kind, channels, threads, size):
    first, second = block_of(channels)
    block = kind(first, 0.0, second)
    x = rounded(2, channels, *size).contiguous(memory_format=torch.channels_last)
    wanted = block(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = block(x, in_place=True)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(ours, wanted)
    assert ours.data_ptr() == x.data_ptr()


@pytest.mark.parametrize("kind", EACH)
def test_nothing_given_is_written_to(kind):
    wide = rounded(2, 16, 20, 24)
    kept = wide.clone()
    first, second = block_of(16)
    ours = kind(first, 0.1, second)(wide[:, :, 3:15, 5:15])
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(wide, kept)


@pytest.mark.parametrize("kind", [amx.ResidualBlock, avx512_block.ResidualBlock])
def test_as_many_channels_all_along(kind):
    layers = [nn.Conv2d(*channels, 3, padding=1) for channels in ((16, 16), (16, 24), (24, 16))]
    assert kind.takes(layers[0], layers[0])
    assert not kind.takes(layers[0], layers[1])
    assert not kind.takes(layers[1], layers[2])
    with pytest.raises(ValueError, match="no kernel for a block"):
        kind(layers[0], 0.0, layers[1])


@pytest.mark.skipif(not avx512_block.is_available(), reason="no such kernels here")
def test_networks_use_it():
    trained = ResidualBlock(16).requires_grad_(False)
    x = rounded(1, 16, 40, 50).contiguous(memory_format=torch.channels_last)
    block = fused_block(trained, torch.bfloat16)
    assert isinstance(block, OnePassBlock)
    assert isinstance(fused_block(trained, torch.float32), FusedResidualBlock)
    theirs = FusedResidualBlock(trained, 0.0, torch.bfloat16)(x)
    torch.testing.assert_close(block(x), theirs, rtol=2**-6, atol=2**-6)
