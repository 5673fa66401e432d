"""What AMX's convolution does beyond what test_conv3x3.py asks of all of them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.engine.kernels.amx import Conv3x3, is_available

needs_amx = pytest.mark.skipif(not is_available(), reason="no AMX, or no kernels for it, here")

HALF_A_STEP = 2**-8  # of what bfloat16 rounds to, relative


def rounded(*shape):
    """Return random numbers that bfloat16 has."""
    return torch.randn(*shape).bfloat16()


def exact(x, conv):
    """Return the convolution in float64."""
    bias = None if conv.bias is None else conv.bias.double()
    return F.conv2d(x.double(), conv.weight.double(), bias, padding=1)


@needs_amx
def test_widest():
    conv = nn.Conv2d(512, 512, 3, padding=1).requires_grad_(False)
    conv.weight.copy_(rounded(*conv.weight.shape) / 2**7)
    x = rounded(1, 512, 5, 9)
    ours = Conv3x3(conv.weight, conv.bias)(x)
    torch.testing.assert_close(ours.double(), exact(x, conv), rtol=HALF_A_STEP, atol=1e-3)
