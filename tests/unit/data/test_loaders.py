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


def test_a_share_of_pages_of_text(tmp_path, save):
    photo = save(tmp_path / "black.png", height=64, width=64, seed=0)
    plain = Samples([photo], Augmentation(), margin=0, seed=7)
    mixed = Samples([photo], Augmentation(text_share=0.5), margin=0, seed=7)
    palette = {tuple(pixel) for pixel in plain[(0, 0, 64, 0)][0].flatten(1).T.tolist()}

    def is_text(step):
        pixels = mixed[(step, 0, 64, 0)][0].flatten(1).T.tolist()
        return sum(tuple(pixel) in palette for pixel in pixels) < len(pixels) / 2

    assert 5 < sum(is_text(step) for step in range(30)) < 25


def test_passes_show_every_photo_once_before_any_again(tmp_path, save):
    paths = [save(tmp_path / f"{i}.png", height=16, width=16, seed=i) for i in range(5)]
    samples = Samples(paths, Augmentation(flips="none"), margin=0, seed=7, in_passes=True)
    seen = [samples[(0, 0, 16, place)][0].numpy().tobytes() for place in range(20)]
    passes = [seen[start : start + 5] for start in range(0, 20, 5)]
    assert all(len(set(shown)) == 5 for shown in passes)
    assert len({tuple(shown) for shown in passes}) > 1  # shuffled anew
    assert [samples[(0, 0, 16, place)][0].numpy().tobytes() for place in (7, 2)] == [
        seen[7],
        seen[2],
    ]


def test_places_go_through_the_run_without_a_gap():
    phases = (Phase(1.0, 16, 4),)
    shares = [
        [address for batch in StepBatches(phases, 1, 3, rank, 2) for address in batch]
        for rank in (0, 1)
    ]
    assert sorted(address[3] for share in shares for address in share) == list(range(4, 12))


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
    degraded, clean = Samples([pair], Augmentation(), margin=0, seed=1)[(0, 0, 32, 0)]
    torch.testing.assert_close(degraded, clean)


def test_errors(tmp_path, save):
    pair = Pair(save(tmp_path / "a.png"), save(tmp_path / "b.png", width=65))
    with pytest.raises(ImageError, match=r"differs in size from a\.png"):
        Samples([pair], Augmentation(), margin=0, seed=1)[(0, 0, 32, 0)]
