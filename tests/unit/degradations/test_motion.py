from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restore_cli.degradations.motion import (
    _with_halves,
    hand_shake,
    mean_of_frames,
    smooth_paths,
    soft_masks,
    with_extent,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def neither(n):
    return torch.zeros(n, dtype=torch.bool)


def shifts(*moves):
    """Homographies (1, frames, 3, 3) that only shift."""
    homographies = torch.eye(3).repeat(len(moves), 1, 1)
    homographies[:, :2, 2] = torch.tensor(moves, dtype=torch.float32)
    return homographies[None]


def test_same_seed_same_motion():
    extent = torch.tensor([5.0, 9.0])
    torch.testing.assert_close(
        hand_shake(seeded(3), extent, 7, 64, neither(2)),
        hand_shake(seeded(3), extent, 7, 64, neither(2)),
        atol=0,
        rtol=0,
    )
    assert not torch.equal(
        hand_shake(seeded(3), extent, 7, 64, neither(2)),
        hand_shake(seeded(4), extent, 7, 64, neither(2)),
    )


def test_extent_is_the_longer_side_of_the_path():
    path = smooth_paths(seeded(), 4, 2, 15, neither(4))
    path = with_extent(path, torch.tensor([1.0, 5.0, 10.0, 25.0]))
    box = (path.amax(-1) - path.amin(-1)).amax(1)
    torch.testing.assert_close(box, torch.tensor([1.0, 5.0, 10.0, 25.0]))
    torch.testing.assert_close(path.mean(-1), torch.zeros(4, 2), atol=1e-5, rtol=0)


def test_a_path_goes_through_the_place_of_the_sharp_photo_at_half_time():
    at_middle = torch.tensor([True, False])
    path = smooth_paths(seeded(), 2, 2, 15, at_middle)
    assert path[0, :, 7].abs().max() == 0
    assert path[1, :, 7].abs().max() > 0.01
    homographies = hand_shake(seeded(), torch.tensor([9.0, 9.0]), 15, 64, at_middle)
    torch.testing.assert_close(homographies[0, 7], torch.eye(3), atol=1e-6, rtol=0)


def test_standing_still_cuts_the_centre():
    images = torch.rand(1, 3, 20, 20)
    still = mean_of_frames(images, shifts((0, 0), (0, 0)), 12)
    torch.testing.assert_close(still, images[..., 4:16, 4:16], atol=1e-5, rtol=0)


def test_whole_pixel_shifts_average_shifted_copies():
    images = torch.rand(1, 3, 24, 24)
    mean = mean_of_frames(images, shifts((-2, 0), (0, 1), (3, -1)), 12)
    copies = [images[..., 6 + y : 18 + y, 6 + x : 18 + x] for x, y in ((-2, 0), (0, 1), (3, -1))]
    torch.testing.assert_close(mean, sum(copies) / 3, atol=1e-5, rtol=0)


def test_motion_keeps_the_light():
    flat = torch.full((2, 3, 40, 40), 0.4)
    homographies = hand_shake(seeded(), torch.tensor([3.0, 12.0]), 9, 24, neither(2))
    torch.testing.assert_close(
        mean_of_frames(flat, homographies, 24), torch.full((2, 3, 24, 24), 0.4), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("seed", range(3))
def test_masks_are_soft_regions(seed):
    masks = soft_masks(seeded(seed), 8, 64)
    assert masks.shape == (8, 1, 64, 64)
    assert 0 <= masks.min() < 0.05
    assert 0.95 < masks.max() <= 1


def test_halves_are_those_of_bicubic_interpolation():
    images = torch.rand(2, 3, 7, 10)
    wanted = F.interpolate(images, (13, 19), mode="bicubic", align_corners=True)
    torch.testing.assert_close(_with_halves(_with_halves(images, -1), -2), wanted)
