from __future__ import annotations

import numpy as np
import pytest
import torch

from restore_cli.data.augment import Augmentation, random_crop

EVERYTHING = Augmentation(
    scale=(0.5, 1.0), flips="all", colour=0.2, grey_share=0.3, detail_candidates=3
)


def photo(height=60, width=80, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def crop(augmentation, seed=0, photos=None, side=32):
    return random_crop(photos or (photo(),), side, augmentation, np.random.default_rng(seed))


def test_shape_and_range():
    for seed in range(20):
        (image,) = crop(EVERYTHING, seed)
        assert image.shape == (3, 32, 32)
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1


def test_a_plain_crop_is_a_part_of_the_photo():
    (image,) = crop(Augmentation(flips="none"))
    windows = np.lib.stride_tricks.sliding_window_view(photo(), (32, 32, 3))[:, :, 0]
    wanted = (image * 255).round().permute(1, 2, 0).numpy()
    assert (windows == wanted).all(axis=(2, 3, 4)).sum() == 1


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flips="horizontal"),
        Augmentation(flips="all"),
        Augmentation(flips="mprnet"),
        Augmentation(flips="none", saturation_share=1.0),
        Augmentation(flips="none", colour=0.2),
        Augmentation(flips="none", grey_share=1.0),
        Augmentation(flips="none", scale=(0.6, 0.6)),
    ],
)
def test_every_augmentation_changes_some_crops(augmentation):
    plain = Augmentation(flips="none")
    square = (photo(32, 32),) if augmentation.scale == (1.0, 1.0) else (photo(),)
    changed = [
        not torch.equal(crop(augmentation, seed, square)[0], crop(plain, seed, square)[0])
        for seed in range(12)
    ]
    assert any(changed)


def test_pairs_are_treated_alike():
    for seed in range(10):
        degraded, clean = crop(EVERYTHING, seed, (photo(), photo()))
        torch.testing.assert_close(degraded, clean, atol=0, rtol=0)


def test_mprnet_offers_eight_views_the_untouched_one_twice_as_often():
    square = (photo(8, 8),)
    rng = np.random.default_rng(0)
    plain = crop(Augmentation(flips="none"), 0, square, side=8)[0]
    counts = {}
    for _ in range(4500):
        (image,) = random_crop(square, 8, Augmentation(flips="mprnet"), rng)
        counts[image.numpy().tobytes()] = counts.get(image.numpy().tobytes(), 0) + 1
    assert len(counts) == 8
    untouched = counts.pop(plain.numpy().tobytes())
    assert untouched / 4500 == pytest.approx(2 / 9, abs=0.02)
    assert [count / 4500 for count in counts.values()] == pytest.approx([1 / 9] * 7, abs=0.015)


def test_saturation_scales_the_distance_from_grey():
    def one(factor):
        settings = Augmentation(flips="none", saturation_share=1.0, saturation=(factor, factor))
        return crop(settings, 3, (photo() // 2 + 64,))[0]

    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    plain = one(1.0)
    grey = (plain * weights).sum(dim=0, keepdim=True)
    torch.testing.assert_close(one(0.8), grey + 0.8 * (plain - grey))
    torch.testing.assert_close((one(1.2) * weights).sum(dim=0), grey[0], atol=1e-5, rtol=0)


def test_small_photos_are_reflected():
    (image,) = crop(Augmentation(flips="none"), photos=(photo(10, 20),))
    want = np.pad(photo(10, 20), ((0, 22), (0, 12), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal((image * 255).round().permute(1, 2, 0).numpy(), want)


def test_detail_is_preferred():
    half_flat = photo(40, 200)
    half_flat[:, :100] = 128
    detail = [
        np.mean(
            [
                crop(Augmentation(flips="none", detail_candidates=n), s, (half_flat,))[0].std()
                for s in range(30)
            ]
        )
        for n in (1, 5)
    ]
    assert detail[1] > detail[0]


@pytest.mark.parametrize(
    "values",
    [
        {"scale": (0.0, 1.0)},
        {"scale": (0.9, 0.5)},
        {"flips": "some"},
        {"saturation": (1.2, 0.8)},
        {"detail_candidates": 0},
    ],
)
def test_errors(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        Augmentation(**values)
