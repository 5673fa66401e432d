"""The optimizer."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from restore_cli.training.config import OptimizerConfig
from restore_cli.training.muon import Muon


def make_optimizer(parameters: Iterable[nn.Parameter], config: OptimizerConfig) -> Optimizer:
    """Return Muon or Adam; AdamW where the recipe decays the weights apart from the gradient."""
    if config.kind == "muon":
        return Muon(parameters, config.lr, config.betas)
    if config.weight_decay and not config.is_decay_coupled:
        return AdamW(
            parameters, config.lr, config.betas, weight_decay=config.weight_decay, fused=True
        )
    return Adam(parameters, config.lr, config.betas, weight_decay=config.weight_decay, fused=True)
