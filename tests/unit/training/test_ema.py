from __future__ import annotations

import torch

from models import create_model
from restore_cli.training.ema import AveragedWeights


def test_values():
    network = create_model("mimo-unet", {"width": 4, "blocks": 1})
    average = AveragedWeights(network, decay=0.9)
    before = [p.clone() for p in average.network.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1
    average.update(network, step=1000)
    for old, new in zip(before, average.network.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)
    average.update(network, step=0)  # decay 1/10 at first
    for old, new in zip(before, average.network.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1 + 0.9 * 0.9)
    assert not any(p.requires_grad for p in average.network.parameters())


def test_running_statistics_are_copied():
    network = create_model("diffresnet", {"features": 4, "depth": 3})
    average = AveragedWeights(network, decay=0.9)
    network.train()(torch.rand(2, 3, 8, 8))
    average.update(network, step=5)
    for kept, new in zip(average.network.buffers(), network.buffers(), strict=True):
        torch.testing.assert_close(kept, new, atol=0, rtol=0)
