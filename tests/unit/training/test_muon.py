from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from restore_cli.training.config import OptimizerConfig
from restore_cli.training.muon import Muon, orthogonalized
from restore_cli.training.optim import make_optimizer


@pytest.mark.parametrize("shape", [(8, 8), (4, 30), (30, 4)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    matrix[0] *= 20  # one direction far louder than the others
    values = torch.linalg.svdvals(orthogonalized(matrix))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_directions_are_those_of_the_gradient():
    torch.manual_seed(0)
    matrix = torch.randn(6, 10)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    product = u.T @ orthogonalized(matrix) @ v.T
    off = product - torch.diag(product.diagonal())
    torch.testing.assert_close(off, torch.zeros(6, 6), atol=1e-4, rtol=0)


def test_zero_gradients_change_nothing():
    torch.testing.assert_close(orthogonalized(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_layer_learns_what_another_does():
    torch.manual_seed(0)
    teacher, student = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
    optimizer = make_optimizer(student.parameters(), OptimizerConfig(kind="muon", lr=0.02))
    assert isinstance(optimizer, Muon)
    losses = []
    for step in range(200):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / 200)
        x = torch.randn(8, 3, 9, 9)
        loss = (student(x) - teacher(x).detach()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 1e-3 * losses[0]


def test_resuming_gives_the_same_steps():
    def steps(optimizer, layer, count):
        for i in range(count):
            optimizer.zero_grad()
            layer(torch.full((2, 4), 0.1 * i + 0.1)).square().sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    layer = nn.Linear(4, 4)
    first = Muon(layer.parameters(), 0.01, (0.9, 0.99))
    steps(first, layer, 3)
    other = copy.deepcopy(layer)
    second = Muon(other.parameters(), 0.01, (0.9, 0.99))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(first, layer, 2)
    steps(second, other, 2)
    torch.testing.assert_close(other.state_dict(), layer.state_dict(), atol=0, rtol=0)


@pytest.mark.parametrize("values", [{"kind": "sgd"}, {"kind": "muon", "weight_decay": 0.1}])
def test_errors(values):
    with pytest.raises(ValueError, match=r"adam|muon"):
        OptimizerConfig(**values)
