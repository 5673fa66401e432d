from __future__ import annotations

import pytest
import torch

from restore_cli.training.config import LossConfig
from restore_cli.training.objective import objective

SCALES = (1.0, 0.5)


def images():
    clean = torch.rand(2, 3, 16, 16)
    degraded = clean + torch.tensor([0.01, 0.2]).view(2, 1, 1, 1)
    return degraded, clean, (degraded, degraded[..., ::2, ::2])


def test_parts_add_up_with_their_weights():
    degraded, clean, stages = images()
    config = LossConfig(content=2.0, frequency=0.5)
    total, parts = objective(stages, clean, degraded, SCALES, config)
    torch.testing.assert_close(total, 2 * parts["content"] + 0.5 * parts["frequency"])


def test_a_weight_of_zero_leaves_a_part_out():
    degraded, clean, stages = images()
    _, parts = objective(stages, clean, degraded, SCALES, LossConfig(frequency=0.0))
    assert set(parts) == {"content"}


def test_balance_evens_samples_out():
    degraded, clean, _ = images()

    def shares(balance):
        pred = degraded.clone().requires_grad_()
        config = LossConfig(frequency=0.0, balance=balance)
        total, _ = objective((pred,), clean, degraded, (1.0,), config)
        total.backward()
        return pred.grad.abs().sum(dim=(1, 2, 3))

    # The weight of a sample is balance / (balance + mean error).
    plain, balanced = shares(0.0), shares(0.05)
    torch.testing.assert_close(balanced / plain, torch.tensor([5 / 6, 1 / 5]), atol=1e-3, rtol=0)


def test_errors():
    degraded, clean, stages = images()
    with pytest.raises(ValueError, match="every loss weight is 0"):
        objective(stages, clean, degraded, SCALES, LossConfig(content=0, frequency=0))
    with pytest.raises(ValueError, match="differ"):
        objective(stages, clean, degraded, (1.0, 0.25), LossConfig())
