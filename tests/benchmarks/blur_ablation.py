"""What each part of the blur synthesis is worth: short equal trainings, measured on real pairs.

    python tests/benchmarks/blur_ablation.py --photos FOLDER --data SETS --kernels FOLDER
        --weights FILE

Each training starts from the same weights and differs from the recipe in one thing; all see photos
in the same order, with the same optimizer and a learning rate that falls to zero. Then the gains on
``gopro_avg``, ``gopro`` and ``levin`` below SETS are measured, and on eight pictures of
``kodak24/clean`` with every fifth kernel and noise of sigma 2, by what ``restore eval`` runs. One
line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
from short_training import train_shortly

from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.eval.options import EvalOptions, MethodOptions
from restore_cli.jobs.eval.run import evaluate

RECIPE = "mprnet-wide-deblur"
BATCH, PATCH = 3, 128
KODAK_PICTURES, KERNEL_STEP, NOISE_SIGMA_8BIT = 8, 5, 2.0

CAMERA = {"video_share": 0.0}
VARIANTS = {
    "the recipe": {},
    "no pairs from video": CAMERA,
    "nine of ten batches from video": {"video_share": 0.9},
    "half the video in linear light": {"video_display_share": 0.5},
    "no video, linear light": CAMERA | {"display_share": 0.0},
    "no video, display values": CAMERA | {"display_share": 1.0},
    "no video, target in the middle of the streak": CAMERA | {"middle_share": 0.0},
    "no moving layers": {"layer_share": 0.0},
    "clipped highlights in a quarter": {"highlight_share": 0.25},
    "no defocus": {"defocus_share": 0.0},
    "not softened by the lens": {"soft_share": 0.0},
    "no noise, no JPEG": {"noise_share": 0.0, "jpeg_share": 0.0},
    "noise in an eighth, JPEG in a quarter": {"noise_share": 0.12, "jpeg_share": 0.25},
    "noise in an eighth, a third as strong": {"noise_share": 0.12, "noise_read": [2e-4, 4e-3]},
    "nothing left sharp": {"sharp_share": 0.0},
    "streaks of 2 to 20 pixels": {"shake_extent": [2.0, 20.0], "layer_extent": [1.0, 20.0]},
    "streaks of 6 to 36 pixels": {"shake_extent": [6.0, 36.0], "layer_extent": [4.0, 36.0]},
}


def trained(changes, arguments, folder):
    """Return the weights' file."""
    settings = {f"degradation.{name}": value for name, value in changes.items()}
    train_shortly(
        RECIPE,
        arguments.photos,
        folder,
        steps=arguments.steps,
        patch=PATCH,
        batch=BATCH,
        settings=settings | {"optimizer.lr": arguments.lr, "schedule.warmup": 10},
        weights=arguments.weights,
    )
    return folder / "last.safetensors"


def gains(weights, data, kernels):
    methods, engine = MethodOptions(models=[str(weights)]), EngineOptions(device="cpu")

    def gain(folder, **others):
        (mean,) = evaluate(EvalOptions([folder], methods, engine=engine, **others)).means
        return round(mean.gain_db, 3)

    blur = {
        "kernels": sorted(kernels.glob("*.npy"))[::KERNEL_STEP],
        "noise_sigma_8bit": NOISE_SIGMA_8BIT,
        "limit": KODAK_PICTURES,
    }
    return {
        "gopro_avg": gain(data / "gopro_avg"),
        "gopro": gain(data / "gopro"),
        "levin": gain(data / "levin", align=True),
        "kodak24 x kernels": gain(data / "kodak24" / "clean", **blur),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="sharp ones to learn from")
    parser.add_argument("--data", type=Path, required=True, help="folder of the test sets")
    parser.add_argument("--kernels", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="where every training starts")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--lr", type=float, default=3.5e-4)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    def row(name, weights):
        measured = gains(weights, arguments.data, arguments.kernels)
        return json.dumps({"chain": name, **measured}) + "\n"

    sys.stdout.write(row("before", arguments.weights))
    sys.stdout.flush()
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            weights = trained(VARIANTS[name], arguments, Path(folder) / "run")
            sys.stdout.write(row(name, weights))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
