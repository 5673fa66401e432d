from __future__ import annotations

import pytest
import torch
from torch import nn

from restore_cli.training.config import OptimizerConfig
from restore_cli.training.muon import Muon
from restore_cli.training.optim import make_optimizer


def test_optimizer_follows_the_recipe():
    parameters = list(nn.Linear(2, 2).parameters())
    adam = make_optimizer(parameters, OptimizerConfig(lr=1e-3, betas=(0.8, 0.9)))
    assert type(adam) is torch.optim.Adam
    assert adam.defaults["betas"] == (0.8, 0.9)
    adamw = make_optimizer(parameters, OptimizerConfig(weight_decay=0.1))
    assert type(adamw) is torch.optim.AdamW
    coupled = make_optimizer(parameters, OptimizerConfig(weight_decay=0.1, is_decay_coupled=True))
    assert type(coupled) is torch.optim.Adam
    assert coupled.defaults["weight_decay"] == 0.1


def test_muon_is_made_and_has_no_weight_decay():
    parameters = list(nn.Conv2d(8, 8, 3).parameters())
    assert type(make_optimizer(parameters, OptimizerConfig(kind="muon"))) is Muon
    with pytest.raises(ValueError, match="weight_decay goes with the optimizer adam only"):
        OptimizerConfig(kind="muon", weight_decay=0.1)
    with pytest.raises(ValueError, match="'sgd' is neither adam nor muon"):
        OptimizerConfig(kind="sgd")
