from __future__ import annotations

import numpy as np
import pytest
import torch

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image

# Channels in and out of the convolutions up to relu2_2, by their place in torchvision's list.
VGG_CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128)}


def picture(seed, side=80):
    """Smooth blobs with edges: something a network can learn to sharpen."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    waves = [np.sin(rng.uniform(0.1, 0.8) * x + rng.uniform(0.1, 0.8) * y) > 0 for _ in range(3)]
    return (0.2 + 0.6 * np.stack(waves, axis=-1)).astype(np.float32)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        write_image(folder / f"{seed}.png", Image(pixels=picture(seed)))
    return folder


@pytest.fixture
def pairs(tmp_path):
    for kind, seed in (("input", 10), ("target", 0)):
        (tmp_path / "pairs" / kind).mkdir(parents=True)
        for number in range(3):
            pixels = 0.8 * picture(number) + 0.2 * picture(number + seed)
            write_image(tmp_path / "pairs" / kind / f"{number}.png", Image(pixels=pixels))
    return tmp_path / "pairs"


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory):
    """Random weights in the form of torchvision's VGG16, where the cache would have them."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for place, (channels_in, channels_out) in VGG_CONVOLUTIONS.items():
        weight = torch.randn(channels_out, channels_in, 3, 3, generator=generator)
        state[f"features.{place}.weight"] = weight * (2 / (9 * channels_in)) ** 0.5
        state[f"features.{place}.bias"] = torch.zeros(channels_out)
    folder = tmp_path_factory.mktemp("cache") / "restore" / "weights"
    folder.mkdir(parents=True)
    torch.save(state, folder / "vgg16.pth")
    return folder / "vgg16.pth"
