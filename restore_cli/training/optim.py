"""The optimizer and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from restore_cli.training.config import OptimizerConfig, ScheduleConfig


def make_optimizer(parameters: Iterable[nn.Parameter], config: OptimizerConfig) -> Optimizer:
    """Return Adam, or AdamW where the recipe decays the weights."""
    if config.weight_decay:
        return AdamW(
            parameters, config.lr, config.betas, weight_decay=config.weight_decay, fused=True
        )
    return Adam(parameters, config.lr, config.betas, fused=True)


def rate(schedule: ScheduleConfig, step: int) -> float:
    """Return the learning rate of a step (counted from 0) as a share of the recipe's ``lr``.

    A function of the step alone: a resumed run needs no stored schedule, and a run whose
    ``steps`` were changed follows the new curve from where it is.
    """
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = min(1.0, (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup))
    if schedule.kind == "cosine":
        return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * done))
    if schedule.kind == "multistep":
        return float(schedule.gamma ** (step // schedule.milestone))
    if schedule.kind == "trapezoid":
        left = min(1.0, (1 - step / schedule.steps) / schedule.decay_share)
        return schedule.final + (1 - schedule.final) * max(0.0, left)
    return 1.0
