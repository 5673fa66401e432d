"""The compiled 3×3 convolutions against PyTorch's direct one (oneDNN, packed weights), one thread.

    python tests/benchmarks/kernels.py [--precision bf16] [--seconds 1.5] [--channels 16 32 …]

Ours is Winograd's, or AMX's direct one in bf16 where the processor has that, and with ``--block``
a residual block of two against two calls. All run in turn in one process, channels-last, with bias
and ReLU fused; figures are lower quartiles of the times. GFLOP/s counts the direct convolution's
operations for all, so Winograd's may exceed what the processor can do.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch

from models.blocks.conv import ResidualBlock
from restore_cli.engine.device import DTYPES
from restore_cli.engine.fused.blocks import FusedResidualBlock, fused_block
from restore_cli.engine.kernels.selection import kernels_for

# (channels in, channels out, side): widths of our networks where they occur in tiles.
CASES = (
    (16, 16, 256),
    (16, 16, 512),
    (24, 24, 256),
    (32, 32, 64),
    (32, 32, 256),
    (32, 32, 512),
    (48, 48, 256),
    (64, 64, 32),
    (64, 64, 128),
    (64, 64, 256),
    (80, 80, 256),
    (96, 96, 128),
    (96, 96, 256),
    (128, 64, 128),
    (128, 128, 64),
    (128, 128, 128),
    (256, 256, 32),
    (256, 256, 64),
)

HEADER = "  in  out  side   direct ms  GFLOP/s   ours ms  GFLOP/s   ratio   agreement dB\n"


def direct(weight, bias, x):
    """Return oneDNN's convolution with a packed weight, bias and ReLU fused."""
    geometry = [1, 1], [1, 1], [1, 1], 1  # padding, stride, dilation, groups
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(x.shape))
    return lambda x: torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, *geometry, "relu", [], ""
    )


def seconds_each(functions, x, seconds):
    """Return the lower quartile of each function's times, called in turn for so long."""
    times = [[] for _ in functions]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            function(x)
            taken.append(time.perf_counter() - start)
    return [float(np.quantile(taken, 0.25)) for taken in times]


def agreement_db(ours, x, weight, bias):
    wanted = torch.nn.functional.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    error = (ours.double() - wanted.relu()).square().mean()
    return float(10 * torch.log10(wanted.square().max() / error))


def row(case, precision, seconds):
    """Return a line about one convolution."""
    channels_in, channels_out, side = case
    dtype = DTYPES[precision]
    x = torch.randn(1, channels_in, side, side).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(channels_out, channels_in, 3, 3) * (2 / (9 * channels_in)) ** 0.5
    weight = weight.to(dtype).float()
    bias = torch.randn(channels_out)
    conv = kernels_for(dtype).Conv3x3(weight, bias)
    functions = direct(weight.to(dtype), bias.to(dtype), x), lambda x: conv(x, slope=0.0)
    theirs, ours = seconds_each(functions, x, seconds)
    corner = x[..., : min(side, 64), : min(side, 64)]
    agreement = agreement_db(conv(corner, slope=0.0), corner, weight, bias)
    return line(case, theirs, ours, agreement)


def block_row(case, precision, seconds):
    """Return a line about a residual block of two such convolutions, ours against two of ours."""
    channels, _, side = case
    dtype = DTYPES[precision]
    x = torch.randn(1, channels, side, side).to(dtype, memory_format=torch.channels_last)
    block = ResidualBlock(channels).requires_grad_(False)
    functions = FusedResidualBlock(block, 0.0, dtype), fused_block(block, dtype)
    theirs, ours = seconds_each(functions, x, seconds)
    first, second = (function(x).double() for function in functions)
    error = (first - second).square().mean().clamp_min(1e-30)
    return line(case, theirs, ours, float(10 * torch.log10(first.square().max() / error)), count=2)


def line(case, theirs, ours, agreement, count=1):
    channels_in, channels_out, side = case
    giga = 2e-9 * 9 * channels_in * channels_out * side**2 * count
    return (
        f"{channels_in:4d} {channels_out:4d} {side:5d} {theirs * 1e3:11.3f} {giga / theirs:8.1f}"
        f" {ours * 1e3:9.3f} {giga / ours:8.1f} {theirs / ours:7.2f} {agreement:14.1f}\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="for each row")
    parser.add_argument("--channels", type=int, nargs="*", help="only rows with so many inputs")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--block", action="store_true", help="residual blocks instead")
    arguments = parser.parse_args()
    if kernels_for(DTYPES[arguments.precision]) is None:
        sys.exit("no compiled kernels here (python -m restore_cli.engine.kernels.build)")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sys.stdout.write(HEADER)
    with torch.inference_mode():
        for case in CASES:
            is_wanted = not arguments.channels or case[0] in arguments.channels
            if is_wanted and (not arguments.block or case[0] == case[1]):
                make = block_row if arguments.block else row
                sys.stdout.write(make(case, arguments.precision, arguments.seconds))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
