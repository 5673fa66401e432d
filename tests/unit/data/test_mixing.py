from __future__ import annotations

import numpy as np
import pytest
import torch

from restore_cli.data.mixing import MixUp, luma


def mixed(alpha, seed=0, n=6):
    clean = torch.rand(n, 3, 4, 4)
    degraded = clean + 0.25
    return clean, *MixUp(alpha)(degraded, clean, np.random.default_rng(seed))


def test_both_batches_are_blended_alike():
    _, degraded, clean = mixed(0.6)
    torch.testing.assert_close(degraded, clean + 0.25)


def test_results_lie_between_samples_and_keep_the_mean():
    before, _, after = mixed(1.2)
    assert after.min() >= before.min()
    assert after.max() <= before.max()
    assert not torch.equal(before, after)


def test_every_sample_has_its_own_share_and_one_partner():
    clean = torch.eye(6).view(6, 6, 1, 1)
    _, blended = MixUp(1.2)(clean, clean, np.random.default_rng(1))
    rows = blended.view(6, 6)
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(6))
    assert ((rows > 0).sum(dim=1) <= 2).all()
    shares = rows.diagonal()[(rows > 0).sum(dim=1) == 2]
    assert len(shares.unique()) == len(shares) > 1


@pytest.mark.parametrize("alpha", [0.6, 1.2])
def test_shares_follow_the_beta_distribution(alpha):
    n = 20_000
    number = torch.arange(n, dtype=torch.float64).view(n, 1, 1, 1)
    _, blended = MixUp(alpha)(number, number, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    share, partner = torch.from_numpy(rng.beta(alpha, alpha, n)), rng.permutation(n)
    want = share * number.flatten() + (1 - share) * number.flatten()[partner]
    torch.testing.assert_close(blended.flatten(), want)
    assert share.mean().item() == pytest.approx(0.5, abs=0.01)
    assert share.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_same_seed_same_blend():
    torch.manual_seed(1)
    first = mixed(0.6, seed=4)[1]
    torch.manual_seed(1)
    torch.testing.assert_close(mixed(0.6, seed=4)[1], first, atol=0, rtol=0)


def test_luma_of_grey_is_grey_and_of_green_mostly_light():
    grey = torch.full((2, 3, 4, 4), 0.5)
    torch.testing.assert_close(luma(grey), torch.full((2, 1, 4, 4), 0.5), atol=1e-4, rtol=0)
    green = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    assert luma(green).item() == pytest.approx(0.587)


def test_errors():
    with pytest.raises(ValueError, match="mix-up"):
        MixUp(alpha=-1)
    with pytest.raises(ValueError, match="mix-up"):
        MixUp(alpha=1, from_epoch=0)
