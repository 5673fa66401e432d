from __future__ import annotations

import pytest
import torch

from restore_cli.degradations.rain_chain import RainChain

WET = {"dry_share": 0.0, "veil_share": 0.0, "jpeg_share": 0.0}


def run(chain, photos, seed=0):
    return chain(photos, torch.Generator().manual_seed(seed))


def grey(level, n=4, channels=3):
    return torch.full((n, channels, 96, 96), level)


def test_streaks_brighten_what_is_darker_than_the_sky():
    photos = grey(0.2)
    wet, clean = run(RainChain(**WET), photos)
    assert clean is photos
    assert (wet >= photos - 0.5 / 255).all()
    assert (wet - photos).amax(dim=(1, 2, 3)).min() > 0.1
    # Between the streaks the scene is as it was.
    assert ((wet - photos).abs() < 1 / 255).float().mean() > 0.2


def test_nothing_is_brighter_than_the_sky():
    wet, _ = run(RainChain(**WET, sky=(0.5, 0.5), display_share=1.0), grey(0.2))
    assert wet.max() <= 0.5 + 0.5 / 255


def test_streaks_fall():
    wet, _ = run(RainChain(**WET, length=(30.0, 30.0), slant_deg=0.0), grey(0.2))
    down = (wet[..., 1:, :] - wet[..., :-1, :]).abs().mean()
    across = (wet[..., 1:] - wet[..., :-1]).abs().mean()
    assert down < across / 3


def test_more_drops_more_streaks():
    few, many = (
        run(RainChain(**WET, drops=(share, share)), grey(0.2))[0].mean() for share in (5e-4, 1e-2)
    )
    assert many > few + 0.02


def test_a_veil_takes_contrast():
    photos = torch.rand(8, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    chain = RainChain(dry_share=0.0, veil_share=1.0, veil=(0.5, 0.5), drops=(1e-7, 1e-7))
    wet, _ = run(chain, photos)
    assert wet.std() < 0.9 * photos.std()


def test_dry_photos_stay_as_they_are():
    photos = (torch.rand(4, 3, 32, 32) * 255).round() / 255
    wet, _ = run(RainChain(dry_share=1.0, jpeg_share=0.0, length=(6.0, 12.0)), photos)
    torch.testing.assert_close(wet, photos)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_state_gives_the_same_rain(channels):
    photos = grey(0.3, channels=channels)
    first, again, other = (run(RainChain(), photos, seed)[0] for seed in (5, 5, 6))
    assert first.shape == photos.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 1


def test_values_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="layers"):
        RainChain(layers=0)
