"""Random numbers for a batch, drawn on the CPU so that every device sees the same ones."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def uniform(generator: Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Return float32 numbers between ``low`` and ``high``."""
    return torch.rand(shape, generator=generator) * (high - low) + low


def log_uniform(generator: Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Return float32 numbers whose logarithm is uniform between those of ``low`` and ``high``."""
    return uniform(generator, shape, math.log(low), math.log(high)).exp()


def chosen(generator: Generator, n: int, share: float) -> Tensor:
    """Return n booleans, each true with probability ``share``."""
    return torch.rand(n, generator=generator) < share
