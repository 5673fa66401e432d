from __future__ import annotations

import pytest
import torch

from restore_cli.training.checkpoint import load_checkpoint, save_checkpoint


@pytest.mark.parametrize("device", ["cpu", "cpu:0", "cpu:1"])
def test_every_process_reads_it(tmp_path, device):
    path = tmp_path / "checkpoint.pt"
    weight = torch.randn(3)
    save_checkpoint(path, {"network": {"weight": weight}})
    drawn = torch.rand(4)
    state = load_checkpoint(path, torch.device(device))
    assert torch.equal(state["network"]["weight"], weight)
    assert torch.equal(torch.rand(4), drawn)
