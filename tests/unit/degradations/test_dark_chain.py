from __future__ import annotations

import pytest
import torch

from restore_cli.degradations.dark_chain import DarkChain
from restore_cli.degradations.light import to_linear

STILL = {"noise_shot": (1e-12, 1e-12), "noise_read": (1e-12, 1e-12), "jpeg_share": 0.0}


def run(chain, photos, seed=0):
    return chain(photos, torch.Generator().manual_seed(seed))


def test_each_stop_halves_the_light():
    photos = torch.full((2, 3, 32, 32), 0.8)
    dark, clean = run(DarkChain(**STILL, lit_share=0.0, stops=(2.0, 2.0)), photos)
    assert clean is photos
    share = to_linear(dark).mean() / to_linear(photos).mean()
    assert share.item() == pytest.approx(1 / 4, rel=0.02)


def test_noise_grows_when_the_light_is_brought_back():
    photos = torch.full((4, 3, 64, 64), 0.8)
    noise = {"noise_shot": (1e-4, 1e-4), "noise_read": (1e-3, 1e-3), "jpeg_share": 0.0}
    little, much = (
        (to_linear(run(DarkChain(**noise, lit_share=0.0, stops=(s, s)), photos)[0]) * 2**s).std()
        for s in (1.0, 4.0)
    )
    assert much > 2 * little


def test_lit_photos_stay_as_they_are():
    photos = (torch.rand(4, 1, 32, 32) * 255).round() / 255
    same, _ = run(DarkChain(lit_share=1.0, jpeg_share=0.0), photos)
    torch.testing.assert_close(same, photos)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_state_gives_the_same_darkness(channels):
    photos = torch.full((4, channels, 64, 64), 0.6)
    first, again, other = (run(DarkChain(), photos, seed)[0] for seed in (5, 5, 6))
    assert first.shape == photos.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 1
