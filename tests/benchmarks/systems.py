"""One line for each system: size, cost, context, tiles against the whole, a short training.

    python tests/benchmarks/systems.py [--only NAME ...]
    python tests/benchmarks/systems.py --data PHOTOS [--steps 200] [--only NAME ...]   # training

Seconds are eager fp32 on one thread at 256×256. Tiles with the engine's own overlap
are compared with the whole image, for a seeded slim network with a correction of 13/255 RMS.
The short training runs the recipe of a slim variant on 64-pixel patches of sharp photos; PSNR
is that of the held-back photos.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from models import create_model
from models.registry import ARCHITECTURES, PRESETS, config_values, make_config
from restore_cli.data.loaders import Phase
from restore_cli.data.mixing import MixUp
from restore_cli.degradations.blur_chain import BlurChain
from restore_cli.engine.restorer import Restorer
from restore_cli.training.config import load_recipe
from restore_cli.training.options import TrainOptions
from restore_cli.training.schedule import ScheduleConfig
from restore_cli.training.trainer import train
from restore_cli.weights.card import ModelCard

SIDE = 256

# What 200 steps can learn to undo.
MILD_BLUR = BlurChain(
    sharp_share=0.0,
    shake_extent=(1.0, 5.0),
    layer_share=0.0,
    defocus_share=0.5,
    defocus_radius=(1.0, 2.5),
    noise_share=0.0,
)
CORRECTION_RMS = 13 / 255

# Recipe, slim network and learning rate of the short training: full ones take hours on a CPU.
TRAININGS = {
    "mimo-unet": ("mimo-unet-deblur", {"width": 16, "blocks": 4}, 1e-3),
    "mprnet": ("mprnet", {"features": 20, "unet_growth": 10, "orsnet_growth": 8}, 1e-3),
    "mirnet": ("mirnet-denoise", {"features": 16}, 1e-3),
    "pss-nsc": ("pss-nsc", {"width": 16}, 1e-4),  # its own rate; with 1e-3 it diverges
    "formresnet": ("formresnet", {"features": 24}, 1e-3),
    "diffresnet": ("diffresnet", {"features": 24}, 1e-3),
}


def gmacs(name, values):
    with torch.device("meta"):
        network = create_model(name, values).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(torch.empty(1, 3, SIDE, SIDE))
    return counter.get_total_flops() / 2e9


def seconds_per_megapixel(network):
    x = torch.rand(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        network.restore(x[..., :64, :64])
        start = time.perf_counter()
        network.restore(x)
    return (time.perf_counter() - start) / (SIDE * SIDE / 1e6)


def seeded(name, values):
    """Return a network whose correction has a known size, and its card."""
    torch.manual_seed(0)
    network = create_model(name, values).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        rms = (network.restore(x) - x).square().mean().sqrt().item()
    for layer in network.output_layers():
        for parameter in layer.parameters():
            parameter.data *= CORRECTION_RMS / rms
    card = ModelCard(
        name="seeded",
        architecture=name,
        config=values,
        task="unknown",
        summary="seeded",
        licence="none",
        version="0",
    )
    return network, card


def tiles_against_whole(name):
    """Return context and largest difference of tiles twice as large as the training patch."""
    network, card = seeded(name, {**TRAININGS[name][1]})
    tile = 2 * (ARCHITECTURES[name].patch or 128)
    pixels = np.random.default_rng(0).random((tile + 48, tile + 160, 3), dtype=np.float32)
    for axis in (0, 1):  # smooth, like a photo
        pixels = sum(np.roll(pixels, shift, axis) for shift in range(9)) / 9
    whole = Restorer((network, card), tile=0, check=False)(pixels)
    tiled = Restorer((network, card), tile=tile, check=False)
    return tile, tiled.context(tile), float(np.abs(tiled(pixels) - whole).max())


def short_training(name, data, steps):
    recipe, slim, lr = TRAININGS[name]
    config = load_recipe(recipe)
    config = dataclasses.replace(
        config,
        config={**config.config, **slim},
        start_from_identity=False,
        is_grey=False,
        ema_decay=0.0,
        phases=(Phase(1.0, 64, 2),),
        mixup=MixUp(),
        degradation=MILD_BLUR if config.task == "deblur" else config.degradation,
        loss=dataclasses.replace(config.loss, feature=0.0),  # no VGG weights needed
        optimizer=dataclasses.replace(config.optimizer, lr=lr, clip_norm=1.0),
        schedule=ScheduleConfig(kind="cosine", steps=steps, warmup=10),
        validation=dataclasses.replace(config.validation, every=10 * steps, share=0.02, side=128),
    )
    still = dataclasses.replace(
        config,
        optimizer=dataclasses.replace(config.optimizer, lr=1e-12),
        schedule=ScheduleConfig(steps=1),
    )
    options = TrainOptions(device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        before = train(still, data, Path(folder) / "before", options)
        after = train(config, data, Path(folder) / "after", options)
    return {
        "recipe": recipe,
        "slim": slim,
        "psnr_input_db": round(after.psnr_in_db, 2),
        "psnr_before_db": round(before.psnr_db, 2),
        "psnr_after_db": round(after.psnr_db, 2),
        "seconds": round(after.elapsed_s),
    }


def describe(preset):
    name, config = PRESETS[preset]
    values, row = config_values(config), ARCHITECTURES[name]
    network, _ = seeded(name, values)
    tile, context, difference = tiles_against_whole(name)
    return {
        "system": preset,
        "parameters": sum(p.numel() for p in network.parameters()),
        "gmacs_256": round(gmacs(name, values), 2),
        "multiple_of": row.multiple_of,
        "halo": row.halo(make_config(name, values)),
        "s_per_megapixel": round(seconds_per_megapixel(network), 1),
        "tile": tile,
        "tile_context": context,
        "tile_difference": float(f"{difference:.2g}"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", nargs="*", default=list(PRESETS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for preset in arguments.only if not arguments.data else ():
        sys.stdout.write(json.dumps(describe(preset)) + "\n")
        sys.stdout.flush()
    for name in TRAININGS if arguments.data else ():
        if name in arguments.only:
            result = {"system": name, **short_training(name, arguments.data, arguments.steps)}
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
