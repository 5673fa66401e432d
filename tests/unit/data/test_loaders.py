from __future__ import annotations

import pytest
import torch

from restore_cli.data.augment import Augmentation
from restore_cli.data.loaders import Phase, Samples, StepBatches, make_loader, phase_at
from restore_cli.data.pairs import Pair
from restore_cli.errors import ImageError

PHASES = (Phase(0.5, 16, 4), Phase(1.0, 32, 2))


def batches(samples, first=0, workers=0, rank=0, world=1):
    loader = make_loader(samples, StepBatches(PHASES, first, 4, rank, world), workers)
    return [tensors[0] for tensors in loader]


@pytest.fixture
def samples(tmp_path, save):
    paths = [save(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    return Samples(paths, Augmentation(flips="all"), margin=2, seed=7)


def test_phases():
    assert [phase_at(PHASES, step, 4).patch for step in range(5)] == [16, 16, 32, 32, 32]


def test_shape(samples):
    assert [b.shape for b in batches(samples)] == [(4, 3, 20, 20)] * 2 + [(2, 3, 36, 36)] * 2


def test_a_resumed_run_sees_what_it_would_have_seen(samples):
    for whole, resumed in zip(batches(samples)[3:], batches(samples, first=3), strict=True):
        torch.testing.assert_close(whole, resumed, atol=0, rtol=0)


def test_processes_share_a_batch(samples):
    shares = [batches(samples, rank=rank, world=2)[0] for rank in (0, 1)]
    whole = batches(samples)[0]
    torch.testing.assert_close(shares[0], whole[0::2], atol=0, rtol=0)
    torch.testing.assert_close(shares[1], whole[1::2], atol=0, rtol=0)


@pytest.mark.slow
def test_workers_change_nothing(samples):
    for alone, helped in zip(batches(samples), batches(samples, workers=1), strict=True):
        torch.testing.assert_close(alone, helped, atol=0, rtol=0)


def test_pairs_give_two_tensors(tmp_path, save):
    pair = Pair(save(tmp_path / "a.png", seed=1), save(tmp_path / "b.png", seed=1))
    degraded, clean = Samples([pair], Augmentation(), margin=0, seed=1)[(0, 0, 32)]
    torch.testing.assert_close(degraded, clean)


def test_errors(tmp_path, save):
    pair = Pair(save(tmp_path / "a.png"), save(tmp_path / "b.png", width=65))
    with pytest.raises(ImageError, match=r"differs in size from a\.png"):
        Samples([pair], Augmentation(), margin=0, seed=1)[(0, 0, 32)]
