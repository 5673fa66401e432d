from __future__ import annotations

import pytest
import torch

from restore_cli.degradations.noise_chain import NoiseChain

RAW = {"eight_bit_share": 0.0}


def run(chain, seed=0, photos=None):
    photos = torch.full((4, 3, 64, 64), 0.5) if photos is None else photos
    return chain(photos, torch.Generator().manual_seed(seed))[0] - photos


def test_one_listed_level_is_the_deviation():
    noise = run(NoiseChain(sigmas_8bit=(25.0,), **RAW))
    assert noise.std().item() * 255 == pytest.approx(25, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=1e-3)


def test_listed_levels_are_all_drawn_and_no_others():
    noise = run(NoiseChain(sigmas_8bit=(15.0, 50.0), **RAW), photos=torch.zeros(40, 1, 64, 64))
    levels = noise.std(dim=(1, 2, 3)) * 255
    near_low, near_high = (levels - 15).abs() < 2, (levels - 50).abs() < 5
    assert (near_low | near_high).all()
    assert near_low.any()
    assert near_high.any()


def test_a_range_is_drawn_evenly():
    noise = run(NoiseChain(sigma_range_8bit=(0.0, 50.0), **RAW), photos=torch.zeros(400, 1, 32, 32))
    levels = noise.std(dim=(1, 2, 3)) * 255
    assert levels.mean().item() == pytest.approx(25, abs=2)
    assert levels.min() < 3
    assert levels.max() > 47


def test_planes_and_colours_get_independent_noise():
    noise = run(NoiseChain(sigmas_8bit=(25.0,), **RAW))
    assert torch.corrcoef(noise.transpose(0, 1).flatten(1))[0, 1].abs() < 0.05
    assert run(NoiseChain(**RAW), photos=torch.zeros(2, 1, 8, 8)).shape == (2, 1, 8, 8)


def test_sensor_noise_grows_with_light():
    chain = NoiseChain(sensor_share=1.0, noise_shot=(1e-3, 1e-3), noise_read=(1e-6, 1e-6), **RAW)
    photos = torch.cat([torch.full((1, 3, 64, 64), level) for level in (0.1, 0.5)])
    dark, bright = run(chain, photos=photos).std(dim=(1, 2, 3))
    # In linear light sqrt(shot * x), through the slope of the sRGB curve.
    assert dark < bright or dark.item() == pytest.approx(bright.item(), rel=0.5)
    assert bright.item() == pytest.approx(1e-3**0.5 * 0.214**0.5 * 0.5 ** (1 - 2.2) / 2.2, rel=0.15)


SENSOR = {"sensor_share": 1.0, "noise_shot": (1e-3, 1e-3), "noise_read": (1e-6, 1e-6), **RAW}


def likeness(noise):
    """Return the correlation of each colour with itself one pixel to the right."""
    colours = noise.transpose(0, 1)
    pairs = zip(colours[..., :-1].flatten(1), colours[..., 1:].flatten(1), strict=True)
    return [torch.corrcoef(torch.stack(pair))[0, 1].item() for pair in pairs]


def test_a_camera_makes_neighbours_alike():
    assert likeness(run(NoiseChain(**SENSOR))) == pytest.approx([0, 0, 0], abs=0.05)
    red, green, blue = likeness(run(NoiseChain(**SENSOR, mosaic_share=1.0)))
    assert min(red, blue) > 0.5
    assert 0.2 < green < min(red, blue)
    smooth = NoiseChain(**SENSOR, smooth_share=1.0, smooth_sigma=(1.0, 1.0))
    assert min(likeness(run(smooth))) > 0.7


def test_noise_of_colour_may_be_blotched():
    blotches = {"blotch_share": 1.0, "blotch_sigma": (2.0, 2.0), "blotch_strength": (0.5, 0.5)}
    fine, coarse = run(NoiseChain(**SENSOR)), run(NoiseChain(**SENSOR, **blotches))
    grey, colour = (part(coarse) for part in (only_grey, only_colour))
    assert likeness(grey) == pytest.approx([0], abs=0.05)
    assert min(likeness(colour)) > 0.9
    assert (grey.std() / only_grey(fine).std()).item() == pytest.approx(1, rel=0.05)
    assert (colour.std() / only_colour(fine).std()).item() == pytest.approx(0.5, rel=0.05)


def only_grey(noise):
    return noise.mean(dim=1, keepdim=True)


def only_colour(noise):
    return noise - only_grey(noise)


def test_white_balance_amplifies_red_and_blue():
    chain = NoiseChain(**SENSOR, mosaic_share=1.0, white_balance=(2.0, 2.0))
    red, green, blue = run(chain).std(dim=(0, 2, 3))
    plain = run(NoiseChain(**SENSOR, mosaic_share=1.0, white_balance=(1.0, 1.0))).std(dim=(0, 2, 3))
    assert (red / plain[0]).item() == pytest.approx(2, rel=0.05)
    assert (green / plain[1]).item() == pytest.approx(1, rel=0.05)
    assert (blue / plain[2]).item() == pytest.approx(2, rel=0.05)


def test_a_share_stays_clean():
    noise = run(NoiseChain(clean_share=0.5, **RAW), photos=torch.full((64, 3, 16, 16), 0.5))
    is_clean = (noise == 0).all(dim=(1, 2, 3))
    assert 16 < is_clean.sum() < 48


@pytest.mark.parametrize("values", [{}, {"jpeg_share": 1.0}])
def test_a_file_holds_8_bits(values):
    degraded = torch.rand(2, 3, 32, 32)
    degraded, clean = NoiseChain(**values)(degraded, torch.Generator().manual_seed(0))
    torch.testing.assert_close(degraded * 255, (degraded * 255).round(), atol=1e-4, rtol=0)
    assert degraded.min() >= 0
    assert degraded.max() <= 1
    assert clean.shape == degraded.shape


def test_every_share_changes_the_pixels():
    plain = run(NoiseChain())
    assert not torch.equal(plain, run(NoiseChain(sensor_share=1.0)))
    assert not torch.equal(plain, run(NoiseChain(jpeg_share=1.0)))
    assert NoiseChain(jpeg_share=0.1).multiple_of == 16
    grey = torch.rand(1, 1, 32, 32)
    assert run(NoiseChain(jpeg_share=1.0), photos=grey).shape == grey.shape


def test_same_seed_same_pixels():
    chain = NoiseChain(sensor_share=0.5, mosaic_share=0.5, smooth_share=0.5, jpeg_share=0.5)
    torch.testing.assert_close(run(chain, 5), run(chain, 5), atol=0, rtol=0)
    assert not torch.equal(run(chain, 5), run(chain, 6))


@pytest.mark.parametrize("values", [{"sigmas_8bit": (-1.0,)}, {"sigma_range_8bit": (5.0, 1.0)}])
def test_errors(values):
    with pytest.raises(ValueError, match="noise level"):
        NoiseChain(**values)


def test_a_share_is_as_in_a_file_of_8_bits():
    chain = NoiseChain(sigmas_8bit=(50.0,), eight_bit_share=0.5)
    photos = torch.ones(32, 3, 16, 16)
    highest = chain(photos, torch.Generator().manual_seed(0))[0].amax(dim=(1, 2, 3))
    assert 8 < (highest > 1).sum() < 24


def test_jpeg_clips_only_what_it_codes():
    chain = NoiseChain(sigmas_8bit=(50.0,), jpeg_share=0.5, **RAW)
    photos = torch.ones(8, 3, 32, 32)
    noisy = chain(photos, torch.Generator().manual_seed(0))[0]
    highest = noisy.amax(dim=(1, 2, 3))
    assert 0 < (highest > 1).sum() < 8
    assert (highest >= 1 - 1e-6).all()
