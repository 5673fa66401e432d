from __future__ import annotations

import dataclasses

import pytest
import torch

from restore_cli.degradations.blur_chain import BlurChain

PLAIN = BlurChain(
    sharp_share=0,
    layer_share=0,
    defocus_share=0,
    display_share=0,
    highlight_share=0,
    noise_share=0,
    jpeg_share=0,
)


def run(chain, seed=0, n=4, size=32):
    photos = torch.rand(
        n,
        3,
        size + 2 * chain.margin,
        size + 2 * chain.margin,
        generator=torch.Generator().manual_seed(9),
    )
    return photos, *chain(photos, torch.Generator().manual_seed(seed))


def test_shape_and_range():
    chain = BlurChain()
    photos, degraded, clean = run(chain)
    assert degraded.shape == clean.shape == (4, 3, 32, 32)
    assert degraded.min() >= 0
    assert degraded.max() <= 1
    torch.testing.assert_close(
        clean, photos[..., chain.margin : -chain.margin, chain.margin : -chain.margin]
    )


def test_same_seed_same_pixels():
    torch.testing.assert_close(run(BlurChain(), 5)[1], run(BlurChain(), 5)[1], atol=0, rtol=0)
    assert not torch.equal(run(BlurChain(), 5)[1], run(BlurChain(), 6)[1])


def test_a_sharp_share_of_one_changes_nothing_but_rounding():
    _, degraded, clean = run(dataclasses.replace(PLAIN, sharp_share=1.0))
    torch.testing.assert_close(degraded, clean, atol=0.51 / 255, rtol=0)


@pytest.mark.parametrize(
    "field",
    [
        "sharp_share",
        "layer_share",
        "defocus_share",
        "soft_share",
        "display_share",
        "noise_share",
        "jpeg_share",
    ],
)
def test_every_share_changes_the_pixels(field):
    assert not torch.equal(run(PLAIN)[1], run(dataclasses.replace(PLAIN, **{field: 1.0}))[1])


def test_highlights_leave_longer_streaks():
    chain = dataclasses.replace(PLAIN, shake_extent=(12.0, 12.0), highlight_factor=(6.0, 6.0))
    photos = torch.zeros(1, 3, 32 + 2 * chain.margin, 32 + 2 * chain.margin)
    centre = photos.shape[-1] // 2
    photos[..., centre - 2 : centre + 2, centre - 2 : centre + 2] = 1
    dim, _ = chain(photos, torch.Generator().manual_seed(1))
    bright, _ = dataclasses.replace(chain, highlight_share=1.0)(
        photos, torch.Generator().manual_seed(1)
    )
    assert (bright > 0.9).sum() > (dim > 0.9).sum()


def test_linear_light_of_a_video_is_brighter():
    video = dataclasses.replace(PLAIN, video_share=1.0)
    displayed, linear = (
        run(dataclasses.replace(video, video_display_share=share))[1] for share in (1.0, 0.0)
    )
    assert linear.mean() > displayed.mean() + 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_frames_of_a_video_stand_apart(seed):
    """A dot is seen as often as there are frames, in one of them where the sharp photo has it."""
    chain = dataclasses.replace(
        PLAIN, shake_extent=(36.0, 36.0), video_share=1.0, video_frames=(4, 4)
    )
    photos = torch.zeros(1, 3, 96 + 2 * chain.margin, 96 + 2 * chain.margin)
    centre = photos.shape[-1] // 2
    photos[..., centre - 1 : centre + 2, centre - 1 : centre + 2] = 1
    degraded, clean = chain(photos, torch.Generator().manual_seed(seed))
    own = clean[0, 0] == 1
    assert degraded[0, 0][own].min() > 0.2, "a quarter of the dot's display value"
    # As large as the distance makes it; averaged in linear light it would be twice as much.
    assert degraded[0, 0].sum() == pytest.approx(clean[0, 0].sum().item(), rel=0.25)
    assert degraded[0, 0].max() < 0.6, "no more than two on top of each other"


def test_a_soft_picture_in_which_nothing_moves_is_the_same_everywhere():
    chain = dataclasses.replace(
        PLAIN, layer_share=1.0, soft_share=1.0, soft_sigma=(2.0, 2.0), soft_aspect=(1.0, 1.0)
    )
    chain = dataclasses.replace(chain, still_share=1.0, shake_extent=(20.0, 20.0))
    photos = torch.zeros(1, 3, 48 + 2 * chain.margin, 48 + 2 * chain.margin)
    centre = photos.shape[-1] // 2
    photos[..., centre - 1 : centre + 2, centre - 1 : centre + 2] = 1
    degraded, _ = chain(photos, torch.Generator().manual_seed(1))
    torch.testing.assert_close(degraded, degraded.transpose(-2, -1), atol=2 / 255, rtol=0)
    assert 0.1 < degraded.max() < 0.8
    moving, _ = dataclasses.replace(chain, still_share=0.0)(
        photos, torch.Generator().manual_seed(1)
    )
    assert moving.max() < degraded.max()


def test_larger_extents_blur_more():
    def loss_of_detail(extent):
        _, degraded, clean = run(dataclasses.replace(PLAIN, shake_extent=(extent, extent)))
        return (degraded - clean).square().mean()

    assert loss_of_detail(1.0) < loss_of_detail(4.0)


def test_errors():
    with pytest.raises(ValueError, match="frames"):
        BlurChain(frames=1)
    with pytest.raises(ValueError, match="video_frames"):
        BlurChain(video_frames=(9, 8))
