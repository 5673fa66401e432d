"""What the models that come with the program do to a photo, by the command that picks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from restore_cli.degradations.dark_chain import DarkChain
from restore_cli.degradations.noise_chain import NoiseChain
from restore_cli.degradations.rain_chain import RainChain
from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image

PHOTO = Path(__file__).parents[2] / "samples" / "clean" / "colosseum.jpg"
# What each command has to undo, and by how many dB it has to come nearer to the photo.
SPOILED = {
    "denoise": (NoiseChain(sigmas_8bit=(25.0,)), 6.0),
    "derain": (RainChain(dry_share=0.0, drops=(3e-3, 3e-3), veil_share=0.0), 2.0),
    "enhance": (DarkChain(lit_share=0.0, stops=(3.0, 3.0)), 3.0),
}


def psnr(a, b):
    return -10 * np.log10(np.square(a - b).mean())


def save(path, pixels):
    write_image(path, Image(np.ascontiguousarray(pixels)))


@pytest.fixture
def photo():
    pixels = read_image(PHOTO).pixels
    return pixels[64:320, 64:320]


@pytest.mark.parametrize("task", SPOILED)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_spoiled_photo_comes_nearer_to_the_clean_one(restore, folder, photo, task, channels):
    chain, least_gain_db = SPOILED[task]
    clean = photo if channels == 3 else photo.mean(axis=2, keepdims=True)
    batch = torch.from_numpy(clean.copy()).permute(2, 0, 1)[None]
    degraded = chain(batch, torch.Generator().manual_seed(0))[0][0].permute(1, 2, 0).numpy()
    save(folder / "a.png", degraded)
    done = restore(task, "a.png", "-q")
    assert (done.returncode, done.stderr) == (0, b"")
    restored = read_image(folder / f"a_{task}.png").pixels
    assert restored.shape == clean.shape
    assert psnr(restored, clean) > psnr(degraded, clean) + least_gain_db


def test_a_clean_photo_is_left_alone_by_denoise(restore, folder, photo):
    save(folder / "a.png", photo)
    assert restore("denoise", "a.png", "-q").returncode == 0
    assert psnr(read_image(folder / "a_denoise.png").pixels, photo) >= 42


def test_commands_of_a_pipe_take_their_own_models(restore, photo, folder):
    save(folder / "a.png", photo[:64, :64])
    first = restore("denoise", "-", "-o", "-", "-q", input=(folder / "a.png").read_bytes())
    second = restore("deblur", "-", "-o", "b.png", "-q", input=first.stdout)
    assert (first.returncode, second.returncode) == (0, 0)
    assert read_image(folder / "b.png").pixels.shape == (64, 64, 3)
