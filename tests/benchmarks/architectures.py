"""Which architecture denoises best for its cost: each learns for the same time, then is measured.

    python tests/benchmarks/architectures.py --photos FOLDER --test FOLDER [--minutes 5]

Slim networks of all systems learn the bundled denoiser's task by its recipe for the same minutes on
one CPU thread, from the identity, with a decaying learning rate, and are then measured on the clean
pictures of ``--test`` by what ``restore eval --noise 25`` runs. One line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from models import create_model
from restore_cli.jobs.eval.methods import MethodOptions
from restore_cli.jobs.eval.run import EvalOptions, evaluate
from restore_cli.training.config import load_recipe
from restore_cli.training.trainer import TrainOptions, train

RECIPE = "mprnet-local-denoise"
SIGMA_8BIT = 25.0
TRIAL_STEPS = 20  # that tell how many there is time for

# Widths at which a megapixel takes a few seconds; plane-wise networks do three times their work.
NETWORKS = {
    "mimo-unet": {"width": 24, "blocks": [3, 3, 4]},
    "mimo-unet, narrower": {"width": 16, "blocks": [2, 2, 8]},
    "mprnet": {"features": 16, "unet_growth": 8, "orsnet_growth": 8, "blocks_per_group": 2},
    "mprnet-local": {"features": 16, "unet_growth": 16},
    "mprnet-local, wider": {"features": 24, "unet_growth": 16},
    "mirnet": {"features": 16, "groups": 1, "blocks_per_group": 2},
    "pss-nsc": {"width": 12, "units": 2},
    "diffresnet": {"features": 24, "depth": 12, "channels": 3},
    "formresnet": {"features": 24, "depth": 7, "channels": 3},
}


def trained(architecture, config, arguments, folder):
    """Train for about the minutes asked for; return the weights' file and the report."""

    def run(steps, name, **others):
        settings = {"architecture": architecture, "config": config, "name": name, **others}
        settings |= {"phases": [{"until": 1.0, "patch": 64, "batch": 8}]}
        settings |= {"schedule.steps": steps, "schedule.warmup": 20, "validation.every": 10 * steps}
        recipe = load_recipe(RECIPE, settings)
        options = TrainOptions(device="cpu")
        return train(recipe, arguments.photos, folder / name, options)

    trial = run(TRIAL_STEPS, "trial")
    steps = int(TRIAL_STEPS * arguments.minutes * 60 / trial.elapsed_s)
    report = run(steps, "whole", **{"optimizer.lr": arguments.lr})
    return folder / "whole" / "last.safetensors", report


def measure(name, arguments):
    architecture, config = name.partition(",")[0], NETWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        weights, report = trained(architecture, config, arguments, Path(folder))
        methods = MethodOptions(models=[str(weights)], device="cpu")
        options = EvalOptions(
            data=[arguments.test],
            methods=methods,
            noise_sigma_8bit=SIGMA_8BIT,
            limit=arguments.limit,
        )
        (mean,) = evaluate(options).means
    network = create_model(architecture, config)
    return {
        "network": name,
        "config": config,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": report.step,
        "minutes": round(report.elapsed_s / 60, 1),
        "psnr_in_db": round(mean.before.psnr_db, 2),
        "psnr_db": round(mean.after.psnr_db, 2),
        "ssim": round(mean.after.ssim, 4),
        "s_per_megapixel": round(mean.s_per_megapixel, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="to learn from")
    parser.add_argument("--test", type=Path, required=True, help="clean pictures")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--limit", type=int, help="take only so many test pictures")
    parser.add_argument("--only", nargs="*", default=list(NETWORKS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.only:
        sys.stdout.write(json.dumps(measure(name, arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
