"""Seconds and peak memory of ``restore deblur`` as a whole process, and tiles against the whole.

    python tests/benchmarks/deblur_cost.py [--megapixels 1 12 24] [--model NAME]

The pictures are one photo-like pattern, written as 8-bit PNG; time includes start-up, reading and
writing. The second part compares tiles with the whole image at 1500×1000.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from restore_cli.engine.restorer import Restorer
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image

ASPECT = 1.5
TILED_SIZE = (1000, 1500)
LEAST_INNER = 64  # pixels of a tile without its context


def pattern(height, width):
    """Return (H, W, 3) waves with edges and a little noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x * a + y * b) for a, b in ((0.02, 0.05), (0.11, -0.03), (-0.07, 0.09))]
    image = 0.5 + 0.25 * np.stack(waves, axis=-1) + 0.15 * (np.sin(x / 40 + y / 25) > 0)[..., None]
    return (image + 0.01 * rng.standard_normal(image.shape)).clip(0, 1).astype(np.float32)


def cost(megapixels, model, folder):
    height = round((megapixels * 1e6 / ASPECT) ** 0.5)
    width = round(height * ASPECT)
    source = folder / f"{megapixels}.png"
    write_image(source, Image(pixels=pattern(height, width)))
    command = [sys.executable, "-m", "restore_cli", "deblur", str(source), "--model", model]
    start = time.perf_counter()
    child = subprocess.Popen([*command, "-o", str(folder / "out.png"), "-q"])
    _, status, usage = os.wait4(child.pid, 0)  # peak memory of this child alone
    seconds = time.perf_counter() - start
    return {
        "megapixels": megapixels,
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": round(seconds, 1),
        "s_per_megapixel": round(seconds / megapixels, 2),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


def tiles_against_whole(model):
    pixels = pattern(*TILED_SIZE)
    whole = Restorer(model, device="cpu", precision="fp32", tile=0)(pixels)
    for tile in (256, 512):
        tiled = Restorer(model, device="cpu", precision="fp32", tile=tile)
        row = {
            "tile": tile,
            "context_auto": tiled.context(tile),
            "max_difference_auto": float(np.abs(tiled(pixels) - whole).max()),
        }
        if tile - 2 * tiled.halo >= LEAST_INNER:
            exact = Restorer(model, device="cpu", precision="fp32", tile=tile, overlap=tiled.halo)
            row["context_exact"] = tiled.halo
            row["max_difference_exact"] = float(np.abs(exact(pixels) - whole).max())
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 12, 24])
    parser.add_argument("--model", default="mprnet-wide-deblur")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in arguments.megapixels:
            row = cost(megapixels, arguments.model, Path(folder))
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    for row in tiles_against_whole(arguments.model):
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
