"""Which architecture does a task best for its cost: each learns as long, then is measured.

    python tests/benchmarks/architectures.py denoise --photos FOLDER --test FOLDER [--minutes 5]
    python tests/benchmarks/architectures.py deblur --photos FOLDER --test FOLDER [--minutes 5]

Slim networks of all systems learn a bundled model's task by its recipe for the same minutes on one
CPU thread, from the identity, with a learning rate that falls to zero. Then they are measured on
``--test`` by what ``restore eval`` runs: clean pictures with noise of sigma 25 (``denoise``), or
blurred and sharp ones (``deblur``). One line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from short_training import train_shortly

from models import create_model
from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.eval.options import EvalOptions, MethodOptions
from restore_cli.jobs.eval.run import evaluate

TRIAL_STEPS = 20  # that tell how many there is time for

MIMO_UNET = {"width": 16, "blocks": [2, 2, 8]}
MPRNET = {"features": 16, "unet_growth": 8, "orsnet_growth": 8, "blocks_per_group": 2}
MPRNET_LOCAL = MPRNET | {"orsnet_growth": 0, "blocks_per_group": 1}
MIRNET = {"features": 16, "groups": 1, "blocks_per_group": 2}
PSS_NSC = {"width": 12, "units": 2}


@dataclass(frozen=True)
class Task:
    """What is learned, in which pieces, by what, and what the test pictures are degraded with.

    The networks take a few seconds a megapixel; those that go plane by plane do three times their
    work.
    """

    recipe: str
    patch: int
    batch: int
    noise_sigma_8bit: float
    networks: dict[str, dict[str, Any]]


TASKS = {
    "denoise": Task(
        recipe="mprnet-local-denoise",
        patch=64,
        batch=8,
        noise_sigma_8bit=25.0,
        networks={
            "mimo-unet": {"width": 24, "blocks": [3, 3, 4]},
            "mimo-unet, narrower": MIMO_UNET,
            "mprnet": MPRNET,
            "mprnet-local": {"features": 16, "unet_growth": 16},
            "mprnet-local, wider": {"features": 24, "unet_growth": 16},
            "mirnet": MIRNET,
            "pss-nsc": PSS_NSC,
            "diffresnet": {"features": 24, "depth": 12, "channels": 3},
            "formresnet": {"features": 24, "depth": 7, "channels": 3},
        },
    ),
    "deblur": Task(
        recipe="mprnet-wide-deblur",
        patch=128,
        batch=3,
        noise_sigma_8bit=0.0,
        networks={
            "mimo-unet": MIMO_UNET,
            "mimo-unet, 20 blocks a level": {"width": 8, "blocks": [20, 20, 20]},
            "mprnet": MPRNET,
            "mprnet-local": MPRNET_LOCAL,
            "mprnet-local, wider": MPRNET_LOCAL | {"unet_growth": 32},
            "mprnet-local, wider, two scales": MPRNET_LOCAL | {"unet_growth": 32, "scales": 2},
            "mirnet": MIRNET,
            "pss-nsc": PSS_NSC,
        },
    ),
}


def trained(architecture, config, task, arguments, folder):
    """Train for about the minutes asked for; return the weights' file and the report."""

    def run(steps, name, **others):
        settings = {"architecture": architecture, "config": config, "name": name, **others}
        return train_shortly(
            task.recipe,
            arguments.photos,
            folder / name,
            steps=steps,
            patch=task.patch,
            batch=task.batch,
            settings=settings | {"schedule.warmup": 20},
        )

    once_s = run(1, "start").elapsed_s  # most of it validation, before and after
    step_s = (run(TRIAL_STEPS, "trial").elapsed_s - once_s) / (TRIAL_STEPS - 1)
    steps = int((60 * arguments.minutes - once_s) / step_s)
    report = run(steps, "whole", **{"optimizer.lr": arguments.lr})
    return folder / "whole" / "last.safetensors", report


def measure(name, task, arguments):
    architecture, config = name.partition(",")[0], task.networks[name]
    with tempfile.TemporaryDirectory() as folder:
        weights, report = trained(architecture, config, task, arguments, Path(folder))
        options = EvalOptions(
            data=[arguments.test],
            methods=MethodOptions(models=[str(weights)]),
            engine=EngineOptions(device="cpu"),
            noise_sigma_8bit=task.noise_sigma_8bit,
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
        "held_back_in_db": round(report.psnr_in_db, 2),
        "held_back_db": round(report.psnr_db, 2),
        "psnr_in_db": round(mean.before.psnr_db, 2),
        "psnr_db": round(mean.after.psnr_db, 2),
        "ssim": round(mean.after.ssim, 4),
        "s_per_megapixel": round(mean.s_per_megapixel, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--photos", type=Path, required=True, help="to learn from")
    parser.add_argument("--test", type=Path, required=True, help="clean pictures, or pairs")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--limit", type=int, help="take only so many test pictures")
    parser.add_argument("--only", nargs="*", help="names of networks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = TASKS[arguments.task]
    for name in arguments.only or task.networks:
        sys.stdout.write(json.dumps(measure(name, task, arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
