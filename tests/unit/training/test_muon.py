from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.training.muon import STEP_SHARE, Muon, orthogonalized


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 3, 3))


def backward(network: nn.Module) -> None:
    torch.manual_seed(1)
    network.zero_grad()
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()


@pytest.mark.parametrize("shape", [(16, 72), (72, 16), (8, 400)])
def test_orthogonalized_brings_singular_values_near_one(shape):
    torch.manual_seed(0)
    # Gradients' singular values spread over decades; a plain step would follow the first few.
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
    values = torch.linalg.svdvals(orthogonalized(matrix))
    assert values.max() < 1.25
    assert values.median() > 0.6


def test_kernels_between_features_take_a_step_of_one_size(network):
    before = copy.deepcopy(network)
    backward(network)
    for scale in (1.0, 1e-3):  # the size of the gradient says nothing about that of the step
        again = copy.deepcopy(before)
        for ours, theirs in zip(again.parameters(), network.parameters(), strict=True):
            ours.grad = theirs.grad * scale
        Muon(again.parameters(), 1e-2, (0.9, 0.999)).step()
        moved = again[2].weight - before[2].weight
        assert moved.square().mean().sqrt().item() == pytest.approx(STEP_SHARE * 1e-2, rel=0.15)


def test_other_parameters_move_as_with_adam(network):
    theirs = copy.deepcopy(network)
    muon = Muon(network.parameters(), 1e-3, (0.8, 0.99))
    rest = [p for i, p in enumerate(theirs.parameters()) if i != 2]
    adam = torch.optim.Adam(rest, 1e-3, (0.8, 0.99))
    for _ in range(3):
        theirs.load_state_dict({**theirs.state_dict(), "2.weight": network[2].weight})
        for model, optimizer in ((network, muon), (theirs, adam)):
            backward(model)
            optimizer.step()
        for i, (ours, expected) in enumerate(
            zip(network.parameters(), theirs.parameters(), strict=True)
        ):
            if i != 2:
                torch.testing.assert_close(ours, expected)


def test_network_learns_faster_than_with_adam(network):
    torch.manual_seed(2)
    images = F.avg_pool2d(torch.rand(8, 3, 38, 38), 5, 1)  # features as alike as in photos
    teacher = copy.deepcopy(network)
    teacher[2].weight.data.normal_(std=0.2)
    wanted = teacher(images).detach()

    def last_loss(kind: type) -> float:
        student = copy.deepcopy(network)
        optimizer = kind(student.parameters(), 1e-3, (0.9, 0.999))
        for _ in range(100):
            optimizer.zero_grad()
            loss = F.mse_loss(student(images), wanted)
            loss.backward()
            optimizer.step()
        return loss.item()

    assert last_loss(Muon) < 0.7 * last_loss(torch.optim.Adam)


def test_state_goes_on_where_it_was_saved(network):
    other = copy.deepcopy(network)
    first = Muon(network.parameters(), 1e-3, (0.9, 0.999))
    backward(network)
    first.step()
    other.load_state_dict(network.state_dict())
    second = Muon(other.parameters(), 1e-3, (0.9, 0.999))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, optimizer in ((network, first), (other, second)):
        backward(model)
        optimizer.step()
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_parameters_without_gradient_are_left(network):
    before = copy.deepcopy(network.state_dict())
    Muon(network.parameters(), 1e-3, (0.9, 0.999)).step()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
