"""Patches a second that a network learns from on one CPU thread: plain, on our kernels, in bf16.

    python tests/benchmarks/training_speed.py [--architecture mimo-unet] [--config '{"width": 16}']

Forward and backward pass without optimizer and synthesis, in turn in one process; medians.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time

import torch

from models import create_model
from models.losses.pixel import multi_scale_content_loss
from models.losses.pyramid import scaled_targets
from models.registry import architecture
from restore_cli.engine.device import has_native_bf16
from restore_cli.training.cpu import prepare_for_cpu


def step(network, scales, batch, clean, precision):
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        stages = [stage.float() for stage in network(batch)]
    loss = multi_scale_content_loss(
        [stage.float() for stage in stages], scaled_targets(clean, scales)
    )
    loss.backward()
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="mimo-unet")
    parser.add_argument("--config", type=json.loads, default={"width": 16, "blocks": [2, 2, 8]})
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plain = create_model(arguments.architecture, arguments.config)
    plain = plain.to(memory_format=torch.channels_last).train()
    variants = {"plain": ("no", plain)}
    for precision in ("no", "bf16") if has_native_bf16() else ("no",):
        network = copy.deepcopy(plain)
        prepare_for_cpu(network, precision)
        variants["kernels" if precision == "no" else precision] = (precision, network)
    side = arguments.batch, 3, arguments.patch, arguments.patch
    batch = torch.rand(side).contiguous(memory_format=torch.channels_last)
    clean = torch.rand(side)
    scales = architecture(arguments.architecture).stage_scales
    times = {name: [] for name in variants}
    for turn in range(arguments.rounds + 2):
        for name, (precision, network) in variants.items():
            taken = step(network, scales, batch, clean, precision)
            if turn >= 2:  # the first ones warm up
                times[name].append(taken)
    rates = {name: arguments.batch / statistics.median(taken) for name, taken in times.items()}
    for name, rate in rates.items():
        ratio = rate / rates["plain"]
        sys.stdout.write(f"{name}: {rate:.1f} patches/s ({ratio:.2f} times plain)\n")


if __name__ == "__main__":
    main()
