from __future__ import annotations

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.imaging.options import EncodingOptions
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.restore.inputs import LocalFile
from restore_cli.jobs.restore.targets import Target
from restore_cli.jobs.restore.whole_image import WholeImage, measured_size, restore_image


class Network:
    """Adds a constant and keeps what it was given."""

    def __init__(self, add=0.0):
        self.add = np.float32(add)
        self.seen = None

    def __call__(self, pixels, progress=None):
        self.seen = pixels
        if progress:
            progress(1, 1)
        return pixels + self.add


def picture(rng, channels=3, **kwargs):
    return Image(rng.random((8, 10, channels), dtype=np.float32), **kwargs)


@pytest.mark.parametrize("channels", [1, 3])
def test_values(rng, channels):
    image = picture(rng, channels)
    restored = restore_image(image, Network(0.25))
    np.testing.assert_allclose(restored.pixels, np.minimum(image.pixels + 0.25, 1), atol=1e-6)
    assert restored.notes == ()


def test_depth_and_notes_are_kept(rng):
    image = picture(rng, depth="uint16", notes=("read",))
    restored = restore_image(image, Network())
    assert (restored.depth, restored.notes) == ("uint16", ("read",))


def test_progress_is_handed_on(rng):
    calls = []
    restore_image(picture(rng), Network(), lambda *call: calls.append(call))
    assert calls == [(1, 1)]


def test_colour_under_alpha_0_is_neither_seen_nor_changed(rng):
    alpha = np.ones((8, 10, 1), np.float32)
    alpha[:, 5:] = 0
    image = picture(rng, alpha=alpha)
    image.pixels[:, 5:] = 0
    network = Network(0.125)
    restored = restore_image(image, network)
    assert network.seen[:, 5:].min() > 0
    np.testing.assert_array_equal(restored.pixels[:, 5:], 0)
    np.testing.assert_array_equal(restored.alpha, alpha)
    assert (restored.pixels[:, :5] != image.pixels[:, :5]).any()


def test_enlarging_takes_alpha_along_and_keeps_what_is_hidden(rng):
    alpha = np.ones((8, 10, 1), np.float32)
    alpha[:, 5:] = 0
    image = picture(rng, alpha=alpha)
    image.pixels[:, 5:] = -3  # nothing that could be seen, nor restored
    network = Network()
    restored = restore_image(image, network, scale=2)
    assert network.seen.shape == restored.pixels.shape == (16, 20, 3)
    assert network.seen.min() >= 0
    assert restored.alpha.shape == (16, 20, 1)
    assert (restored.alpha[:, :8].min(), restored.alpha[:, 12:].max()) == (1, 0)
    np.testing.assert_array_equal(restored.pixels[:, 12:], -3)


def test_enlarged_highlights_keep_their_range(rng):
    image = picture(rng, depth="float32")
    image.pixels[2:6, 2:6] = 6.5
    restored = restore_image(image, Network(), scale=3)
    assert restored.pixels.max() == pytest.approx(6.5)
    assert restored.pixels.min() >= 0


def test_highlights_above_1_keep_their_range(rng):
    image = picture(rng, depth="float32")
    image.pixels[3, 3] = 6.5
    network = Network()
    restored = restore_image(image, network)
    assert network.seen.max() == 1
    np.testing.assert_allclose(restored.pixels, image.pixels, rtol=1e-6)
    assert restored.notes == ("values reach 6.5: restored as a share of that, range kept",)


def test_holes_and_negative_values_are_filled(rng):
    image = picture(rng, depth="float32")
    image.pixels[2, 2, 1] = np.nan
    image.pixels[4, 4, 0] = np.inf
    image.pixels[6, 6] = -0.5
    network = Network()
    restored = restore_image(image, network)
    assert np.isfinite(network.seen).all()
    assert network.seen.min() == 0
    assert np.isfinite(restored.pixels).all()
    assert restored.notes == (
        "NaN or infinite pixels filled from beside them: 2",
        "negative pixels set to 0: 1",
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif", "bmp", "jp2"])
def test_sizes_are_measured_by_the_header(tmp_path, rng, suffix):
    path = tmp_path / f"a.{suffix}"
    write_image(path, Image(rng.random((90, 130, 3), dtype=np.float32)))
    assert measured_size(LocalFile(str(path))) == (130, 90)
    path.write_bytes(b"no image")
    assert measured_size(LocalFile(str(path))) is None


def test_the_room_of_an_image_grows_with_its_pixels(tmp_path):
    write_image(tmp_path / "a.png", Image(np.zeros((100, 200, 3), np.float32)))
    source = LocalFile(str(tmp_path / "a.png"))

    def room_bytes(scale, limit_bytes):
        target = Target(source.path, "out.png", explicit=True)
        return WholeImage(source, target, EncodingOptions(), scale).room_bytes(limit_bytes)

    once = room_bytes(1, None)
    assert room_bytes(2, None) == 4 * once
    assert room_bytes(1, 2**30) > 2 * once  # decoding and encoding count, too
