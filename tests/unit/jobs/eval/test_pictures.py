from __future__ import annotations

import numpy as np
import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.eval.pictures import (
    Degrading,
    as_grey,
    find_kernels,
    find_pictures,
    read_kernel,
)


def test_pairs(pairs):
    found = find_pictures(pairs, Degrading(), limit=2)
    assert found.names == ("a", "b")
    assert found.paths_below == ("blur/a", "blur/b")
    for sample in found.samples():
        np.testing.assert_allclose(sample.degraded, sample.clean * 0.9, atol=0.5 / 255 + 1e-6)


def test_names_in_scene_folders(tmp_path, save):
    for scene in ("one", "two"):
        for kind in ("blur", "sharp"):
            save(tmp_path / scene / kind / "deep" / "000.png")
    assert find_pictures(tmp_path, Degrading()).names == ("one/deep/000", "two/deep/000")


def test_noise_is_seeded_by_number_and_not_clipped(tmp_path, save):
    clean = {name: save(tmp_path / f"{name}.png") for name in ("b", "a", "c")}
    samples = list(find_pictures(tmp_path, Degrading(noise_sigma_8bit=50), limit=2).samples())
    assert [sample.name for sample in samples] == ["a", "b"]
    for number, sample in enumerate(samples):
        noise = np.random.default_rng(number).standard_normal((24, 32, 3)).astype(np.float32)
        expected = clean[sample.name] + noise * (50 / 255)
        np.testing.assert_allclose(sample.degraded, expected, atol=1e-6)
        assert sample.degraded.dtype == np.float32
        assert sample.degraded.min() < 0 < 1 < sample.degraded.max()


def test_kernels_then_noise(tmp_path, save):
    clean = save(tmp_path / "clean" / "a.png")
    np.save(tmp_path / "1.npy", np.full((3, 3), 1 / 9, np.float32))
    shift = np.zeros((2, 4), np.float32)
    shift[0, 0] = 1  # left of the centre, which is row 0, column 1 as in scipy's mode="same"
    np.save(tmp_path / "2.npy", shift)
    kernels = find_kernels([tmp_path])
    found = find_pictures(tmp_path / "clean", Degrading(kernels=kernels))
    assert found.names == ("a x 1", "a x 2")
    box, moved = (sample.degraded for sample in found.samples())
    np.testing.assert_allclose(box[5, 7], clean[4:7, 6:9].mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(moved[:, :-1], clean[:, 1:], atol=1e-6)
    noisy = find_pictures(tmp_path / "clean", Degrading(5, kernels)).samples()
    first, second = (sample.degraded for sample in noisy)
    np.testing.assert_allclose(first - box, second - moved, atol=1e-6)
    assert np.std(first - box) == pytest.approx(5 / 255, rel=0.05)


def test_clean_pictures_as_they_are(pairs):
    for sample in find_pictures(pairs, Degrading(as_they_are=True)).samples():
        np.testing.assert_array_equal(sample.degraded, sample.clean)


def test_grey(tmp_path, save):
    pixels = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]], np.float32)
    assert (as_grey(pixels) * 255).round().ravel().tolist() == [76, 150, 29, 255]
    assert as_grey(pixels[..., :1]) is not None
    save(tmp_path / "a.png")
    (sample,) = find_pictures(tmp_path, Degrading(noise_sigma_8bit=5), grey=True).samples()
    assert sample.clean.shape == sample.degraded.shape == (24, 32, 1)


@pytest.mark.parametrize(
    ("folder", "task"),
    [("blur", "deblur"), ("noisy", "denoise"), ("rain", "derain"), ("low", "enhance")],
)
def test_the_task_is_told_by_the_folders(tmp_path, save, folder, task):
    partner = {"blur": "sharp", "noisy": "clean", "rain": "norain", "low": "high"}[folder]
    save(tmp_path / folder / "a.png")
    save(tmp_path / partner / "a.png")
    assert find_pictures(tmp_path, Degrading()).task == task
    noisy = find_pictures(tmp_path / partner, Degrading(noise_sigma_8bit=1))
    assert noisy.task == "denoise"
    blurred = find_pictures(tmp_path / partner, Degrading(1, kernels=(tmp_path / "k.npy",)))
    assert blurred.task == "deblur"


def test_the_task_of_pairs_in_one_folder(tmp_path, save):
    for kind in ("NOISY", "GT"):
        save(tmp_path / f"0001_{kind}_SRGB_010.PNG")
    found = find_pictures(tmp_path, Degrading())
    assert (found.task, found.names) == ("denoise", ("0001_NOISY_SRGB_010",))


def test_pictures_that_cannot_be_compared(tmp_path, save, pairs):
    save(pairs / "blur" / "b.png", (24, 33, 3))
    with pytest.raises(ImageError, match=r"b\.png: is 33x24 RGB, its clean one 32x24 RGB"):
        list(find_pictures(pairs, Degrading()).samples())
    save(pairs / "blur" / "b.png", (24, 32, 1))
    with pytest.raises(ImageError, match="is 32x24 grey"):
        list(find_pictures(pairs, Degrading()).samples())
    bright = tmp_path / "bright"
    bright.mkdir()
    write_image(bright / "a.tif", Image(np.full((8, 8, 3), 1.5, np.float32), depth="float32"))
    with pytest.raises(ImageError, match="beyond"):
        list(find_pictures(bright, Degrading(noise_sigma_8bit=1)).samples())
    write_image(bright / "a.tif", Image(np.full((8, 8, 3), np.nan, np.float32), depth="float32"))
    with pytest.raises(ImageError, match="not finite"):
        list(find_pictures(bright, Degrading(noise_sigma_8bit=1)).samples())


def test_noise_in_a_file_may_go_beyond_black_and_white(tmp_path, save):
    save(tmp_path / "clean" / "a.png")
    (tmp_path / "noisy").mkdir()
    noisy = np.full((24, 32, 3), -0.5, np.float32)
    write_image(tmp_path / "noisy" / "a.tif", Image(noisy, depth="float32"))
    (sample,) = find_pictures(tmp_path, Degrading()).samples()
    np.testing.assert_array_equal(sample.degraded, noisy)


def test_folders_that_do_not_fit(tmp_path, save, pairs):
    with pytest.raises(UsageError, match=r"degraded already .*set/sharp"):
        find_pictures(pairs, Degrading(noise_sigma_8bit=5))
    with pytest.raises(ImageError, match=r"no pairs in this folder .*--noise"):
        find_pictures(pairs / "sharp", Degrading())
    with pytest.raises(UsageError, match="no such folder"):
        find_pictures(tmp_path / "gone", Degrading())


@pytest.mark.parametrize(
    ("values", "what"),
    [(np.ones((3, 3)), "is no kernel"), (np.ones(1), "is no kernel"), (None, "cannot be read")],
)
def test_kernels_that_are_none(tmp_path, values, what):
    file = tmp_path / "k.npy"
    if values is None:
        file.write_bytes(b"nothing")
    else:
        np.save(file, values)
    with pytest.raises(UsageError, match=what):
        read_kernel(file)


def test_no_kernels_or_too_large(tmp_path, save):
    for path in (tmp_path, tmp_path / "gone.npy"):
        with pytest.raises(UsageError, match="no kernels here"):
            find_kernels([path])
    np.save(tmp_path / "k.npy", np.full((49, 49), 1 / 49**2, np.float32))
    save(tmp_path / "a.png")
    found = find_pictures(tmp_path, Degrading(kernels=(tmp_path / "k.npy",)))
    with pytest.raises(ImageError, match="smaller than a kernel of 49 pixels"):
        list(found.samples())
