"""PSNR and SSIM of a deblurring model on the public test sets, input beside output.

    python tests/benchmarks/deblur_sets.py --data FOLDER --kernels FOLDER [--model NAME]

FOLDER holds ``gopro_avg/``, ``gopro/`` and ``levin/`` with ``blur/`` and ``sharp/`` inside, and
``kodak24/clean/``. PSNR is over all channels of float images clamped to [0, 1], mean over files.

- ``levin``: each picture is shifted against its sharp one by the best whole number of pixels
  within ±6, 15 pixels of border are cut; input and output are aligned separately.
- ``kodak24 x kernels``: every picture with every kernel (``--kernel-step`` takes fewer), borders
  reflected, then Gaussian noise of sigma 2/255 seeded by the picture's number.
- ``sharp``: the sharp pictures of the first sets themselves; PSNR of the output against them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from restore_cli.degradations.optics import convolve
from restore_cli.engine.restorer import Restorer
from restore_cli.imaging.formats import read_image
from restore_cli.metrics.distortion import psnr_db, ssim

SHIFT, BORDER = 6, 15
NOISE_SIGMA_8BIT = 2.0


def tensor(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def measure(image, sharp):
    a, b = tensor(np.clip(image, 0, 1)), tensor(sharp)
    return psnr_db(a, b).item(), ssim(a, b).item()


def aligned(image, sharp):
    """Return both images cut to where the image fits the sharp one best."""
    inner = sharp[BORDER:-BORDER, BORDER:-BORDER]
    height, width = inner.shape[:2]

    def shifted(dy, dx):
        return image[BORDER + dy : BORDER + dy + height, BORDER + dx : BORDER + dx + width]

    moves = [(dy, dx) for dy in range(-SHIFT, SHIFT + 1) for dx in range(-SHIFT, SHIFT + 1)]
    best = min(moves, key=lambda move: float(np.square(shifted(*move) - inner).mean()))
    return shifted(*best), inner


def pairs(folder):
    for sharp in sorted((folder / "sharp").iterdir()):
        blurred = next((folder / "blur").glob(f"{sharp.stem}.*"))
        yield read_image(blurred).pixels, read_image(sharp).pixels


def with_kernels(clean, kernels, step):
    files = sorted(kernels.glob("*.npy"))[::step]
    for number, path in enumerate(sorted(clean.iterdir())):
        sharp = read_image(path).pixels
        noise = np.random.default_rng(number).standard_normal(sharp.shape).astype(np.float32)
        for file in files:
            kernel = torch.from_numpy(np.load(file))
            grow = [1 - side % 2 for side in kernel.shape]  # an even kernel gets a centre
            kernel = torch.nn.functional.pad(kernel, (grow[1], 0, grow[0], 0))
            blurred = convolve(tensor(sharp), kernel[None])[0].permute(1, 2, 0).numpy()
            yield blurred + noise * (NOISE_SIGMA_8BIT / 255), sharp


def mean_of(name, images, restorer, align=False):
    rows, megapixels, seconds = [], 0.0, 0.0
    for degraded, sharp in images:
        start = time.perf_counter()
        restored = restorer(degraded.astype(np.float32))
        seconds += time.perf_counter() - start
        megapixels += sharp.shape[0] * sharp.shape[1] / 1e6
        both = [aligned(x, sharp) if align else (x, sharp) for x in (degraded, restored)]
        rows.append([value for image, target in both for value in measure(image, target)])
    psnr_in, ssim_in, psnr_out, ssim_out = np.mean(rows, axis=0)
    return {
        "set": name,
        "pictures": len(rows),
        "psnr_in_db": round(psnr_in, 2),
        "psnr_out_db": round(psnr_out, 2),
        "gain_db": round(psnr_out - psnr_in, 2),
        "ssim_in": round(ssim_in, 4),
        "ssim_out": round(ssim_out, 4),
        "s_per_megapixel": round(seconds / megapixels, 2),
    }


def sharp_kept(folders, restorer):
    values = [
        psnr_db(tensor(np.clip(restorer(sharp), 0, 1)), tensor(sharp)).item()
        for folder in folders
        for sharp in (read_image(path).pixels for path in sorted(folder.iterdir()))
    ]
    return {
        "set": "sharp",
        "pictures": len(values),
        "psnr_out_db": round(float(np.mean(values)), 2),
        "least_db": round(min(values), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kernels", type=Path)
    parser.add_argument("--kernel-step", type=int, default=1)
    parser.add_argument("--model", default="mimo-unet-deblur")
    arguments = parser.parse_args()
    restorer, data = Restorer(arguments.model, device="cpu"), arguments.data

    def results():
        yield mean_of("gopro_avg", pairs(data / "gopro_avg"), restorer)
        yield mean_of("gopro", pairs(data / "gopro"), restorer)
        yield mean_of("levin", pairs(data / "levin"), restorer, align=True)
        yield sharp_kept([data / "gopro_avg" / "sharp", data / "kodak24" / "clean"], restorer)
        if arguments.kernels:
            images = with_kernels(
                data / "kodak24" / "clean", arguments.kernels, arguments.kernel_step
            )
            yield mean_of("kodak24 x kernels", images, restorer)

    for row in results():
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
