"""Make the pictures of the README from the samples: ``python tests/benchmarks/pictures.py``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from restore_cli.degradations.blur_chain import BlurChain
from restore_cli.degradations.dark_chain import DarkChain
from restore_cli.degradations.rain_chain import RainChain
from restore_cli.engine.restorer import Restorer
from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
GAP = 6


def side_by_side(*images):
    height = images[0].shape[0]
    gap = np.ones((height, GAP, 3), np.float32)
    parts = [part for image in images for part in (image, gap)]
    return np.concatenate(parts[:-1], axis=1)


def enlarged(image, factor=2):
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def save(name, pixels):
    image = Image(pixels=np.ascontiguousarray(pixels.clip(0, 1), dtype=np.float32))
    write_image(SAMPLES / "readme" / name, image, quality=90)


def degraded(photo):
    """Return the centre of a photo as three exposures of the training chain show it."""
    chain = dataclasses.replace(BlurChain(), sharp_share=0.0, shake_extent=(4.0, 24.0))
    side = min(photo.shape[:2])
    square = torch.from_numpy(photo[:side, :side].copy()).permute(2, 0, 1)[None]
    size = (side - 2 * chain.margin) // 16 * 16
    square = square[..., : size + 2 * chain.margin, : size + 2 * chain.margin]
    shots = [chain(square, torch.Generator().manual_seed(seed)) for seed in (1, 5, 8)]
    views = [shots[0][1], *(shot for shot, _ in shots)]
    return [view[0].permute(1, 2, 0).numpy() for view in views]


def spoiled(photo, chain):
    """Return the centre of a photo as a chain leaves it."""
    side = min(photo.shape[:2]) // 16 * 16
    square = torch.from_numpy(photo[:side, :side].copy()).permute(2, 0, 1)[None]
    return chain(square, torch.Generator().manual_seed(1))[0][0].permute(1, 2, 0).numpy()


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    restorer = Restorer("mprnet-wide-deblur", device="cpu")

    crossing = read_image(SAMPLES / "blurred" / "crossing.png").pixels
    sharper = restorer(crossing)
    save("before_after.jpg", side_by_side(crossing, sharper))
    detail = (slice(90, 270), slice(60, 280))
    save("deblur_detail.jpg", side_by_side(enlarged(crossing[detail]), enlarged(sharper[detail])))

    photo = read_image(SAMPLES / "clean" / "colosseum.jpg").pixels
    save("degraded.jpg", side_by_side(*degraded(photo)))

    receipt = read_image(SAMPLES / "noisy" / "receipt.png").pixels
    calm = Restorer("mprnet-local-denoise", device="cpu")(receipt)
    save("denoise.jpg", side_by_side(receipt, calm))
    rain = RainChain(dry_share=0.0, drops=(4e-3, 4e-3), jpeg_share=0.0)
    wet = spoiled(photo, rain)
    dark = spoiled(photo, DarkChain(lit_share=0.0, stops=(3.0, 3.0), jpeg_share=0.0))
    dry = Restorer("mimo-unet-derain", device="cpu")(wet)
    bright = Restorer("mirnet-slim-enhance", device="cpu")(dark)
    save("derain_enhance.jpg", side_by_side(wet, dry, dark, bright))


if __name__ == "__main__":
    main()
