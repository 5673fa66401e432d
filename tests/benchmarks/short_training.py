"""Trainings of minutes, for benchmarks that compare what one change makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restore_cli.engine.device import has_native_bf16
from restore_cli.training.config import load_recipe
from restore_cli.training.options import TrainOptions
from restore_cli.training.trainer import TrainReport, train


def train_shortly(
    recipe: str,
    photos: Path,
    folder: Path,
    *,
    steps: int,
    patch: int,
    batch: int,
    settings: dict[str, Any],
    weights: Path | None = None,
) -> TrainReport:
    """Train by a bundled recipe on the CPU, for so few steps that most of it is different.

    The learning rate falls to zero, few weights are averaged, nothing is validated on the way, and
    bf16 is used where it is fast.

    Args:
        recipe: its name.
        photos: folder of those to learn from.
        folder: for the run; ``last.safetensors`` is what it ends with.
        steps: of the optimizer.
        patch: side in pixels.
        batch: patches of a step.
        settings: what else differs from the recipe, as ``--set`` takes it.
        weights: where it starts; None: from the identity.
    """
    common = {
        "phases": [{"until": 1.0, "patch": patch, "batch": batch}],
        "schedule.steps": steps,
        "schedule.decay_share": 0.9,
        "validation.every": 10 * steps,
        "ema_decay": 0.98,
        "precision": "bf16" if has_native_bf16() else "no",
    }
    options = TrainOptions(device="cpu", weights=weights)
    return train(load_recipe(recipe, common | settings), photos, folder, options)
