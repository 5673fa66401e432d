from __future__ import annotations

import math

import pytest
import torch

from models.losses.adversarial import Discriminator, adversarial_loss, discriminator_loss


@pytest.mark.parametrize("channels", [1, 3])
def test_shape(channels):
    assert Discriminator(channels, 4)(torch.rand(2, channels, 40, 24)).shape == (2, 1, 5, 3)


def test_values():
    unsure = torch.zeros(2, 1, 5, 3)
    assert adversarial_loss(unsure).item() == pytest.approx(math.log(2))
    assert discriminator_loss(unsure, unsure).item() == pytest.approx(2 * math.log(2))
    sure = torch.full((2, 1, 5, 3), 200.0)
    assert discriminator_loss(sure, -sure).item() == pytest.approx(0)
    assert adversarial_loss(-sure).item() == pytest.approx(200)


def test_gradient():
    logits = torch.rand(2, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(adversarial_loss, (logits,))
    assert torch.autograd.gradcheck(discriminator_loss, (logits, logits.detach() - 1))


def test_the_gradient_does_not_vanish_where_the_discriminator_is_sure():
    logits = torch.full((1, 1, 2, 2), -50.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(adversarial_loss(logits), logits)
    torch.testing.assert_close(gradient, torch.full((1, 1, 2, 2), -0.25))


def test_the_two_sides_pull_apart():
    judge = Discriminator(1, 4)
    clean, restored = torch.ones(4, 1, 16, 16), torch.zeros(4, 1, 16, 16)
    optimizer = torch.optim.Adam(judge.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        discriminator_loss(judge(clean), judge(restored)).backward()
        optimizer.step()
    assert judge(clean).mean() > 1 > -1 > judge(restored).mean()
    assert adversarial_loss(judge(clean)) < adversarial_loss(judge(restored))


@pytest.mark.parametrize("sizes", [(0, 4), (3, 0)])
def test_errors(sizes):
    with pytest.raises(ValueError, match="must be positive"):
        Discriminator(*sizes)
