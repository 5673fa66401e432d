"""Averaged weights."""

from __future__ import annotations

import copy

import torch
from torch import nn

from models import RestorationModel


class AveragedWeights:
    """An exponential moving average of a network's weights, which restores better than the last.

    The average is short at first, min(decay, (1 + step) / (10 + step)), so that it does not
    remember the random start.
    """

    def __init__(self, network: RestorationModel, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards the network after a step, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        ours = [p.data for p in self.network.parameters()]
        theirs = [p.data for p in network.parameters()]
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        # Running statistics are averages already.
        for kept, new in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(new)
