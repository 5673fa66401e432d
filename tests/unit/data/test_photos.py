from __future__ import annotations

import numpy as np

from restore_cli.data.photos import PhotoCache


def test_grey_becomes_three_equal_channels(tmp_path, save):
    photo = PhotoCache().read(save(tmp_path / "grey.png", channels=1))
    assert photo.shape == (48, 64, 3)
    assert photo.dtype == np.uint8
    assert (photo[..., :1] == photo).all()


def test_photos_are_kept_within_the_budget(tmp_path, save):
    paths = [save(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    cache = PhotoCache(budget_bytes=2 * 48 * 64 * 3)
    first = cache.read(paths[0])
    assert cache.read(paths[0]) is first
    cache.read(paths[1])
    cache.read(paths[2])  # the first one has to go
    again = cache.read(paths[0])
    assert again is not first
    np.testing.assert_array_equal(again, first)
