from __future__ import annotations

import pytest
import torch
from torch import nn

from restore_cli.training.config import OptimizerConfig, ScheduleConfig
from restore_cli.training.optim import make_optimizer, rate


def rates(schedule, *steps):
    return [rate(schedule, step) for step in steps]


def test_warmup_rises_in_even_steps():
    assert rates(ScheduleConfig(warmup=4), 0, 1, 2, 3, 4) == [0.25, 0.5, 0.75, 1, 1]


def test_cosine():
    schedule = ScheduleConfig(kind="cosine", steps=100, final=0.1)
    assert rates(schedule, 0, 50, 100, 150) == pytest.approx([1, 0.55, 0.1, 0.1])


def test_multistep():
    schedule = ScheduleConfig(kind="multistep", steps=100, milestone=10)
    assert rates(schedule, 0, 9, 10, 29, 30) == [1, 1, 0.5, 0.25, 0.125]


def test_trapezoid():
    schedule = ScheduleConfig(kind="trapezoid", steps=100, decay_share=0.5)
    assert rates(schedule, 0, 50, 75, 100) == pytest.approx([1, 1, 0.5, 0])


def test_optimizer_follows_the_recipe():
    parameters = list(nn.Linear(2, 2).parameters())
    adam = make_optimizer(parameters, OptimizerConfig(lr=1e-3, betas=(0.8, 0.9)))
    assert type(adam) is torch.optim.Adam
    assert adam.defaults["betas"] == (0.8, 0.9)
    adamw = make_optimizer(parameters, OptimizerConfig(weight_decay=0.1))
    assert type(adamw) is torch.optim.AdamW


def test_errors():
    with pytest.raises(ValueError, match="milestone"):
        ScheduleConfig(kind="multistep")
