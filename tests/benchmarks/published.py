"""Published checkpoints through the program: import seconds, and the pixels of a float TIFF.

    python tests/benchmarks/published.py [--prefix module.]

For every parity fixture a checkpoint in the published layout is written, imported by
``restore weights import``, and run by ``restore enhance --precision fp32`` on the fixture's
input as a float TIFF; the result is compared with the published network's output, clipped to
[0, 1]. Enhance, because the fixtures' random weights change the mean colour, which no other
task may.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image
from tests.parity.filling import arrays, description, filled
from tests.unit.weights.test_importing import PUBLISHED, write

PROGRAM = [sys.executable, "-m", "restore_cli"]


def compare(fixture, prefix, folder):
    file, wrapper, final = PUBLISHED[fixture]
    recorded = arrays(fixture)
    checkpoint = write(folder, file, wrapper, filled(description(fixture)), prefix)
    model, source, target = folder / "m.safetensors", folder / "x.tif", folder / "y.tif"
    start = time.perf_counter()
    subprocess.run([*PROGRAM, "weights", "import", checkpoint, "-o", model, "-q"], check=True)
    seconds = time.perf_counter() - start
    pixels = recorded["x"][0].permute(1, 2, 0).contiguous().numpy()
    write_image(source, Image(pixels=pixels, depth="float32", format="tiff"))
    options = ["--model", model, "--precision", "fp32", "--device", "cpu", "-q", "-o", target]
    done = subprocess.run([*PROGRAM, "enhance", source, *options], check=False)
    expected = recorded[final][0].permute(1, 2, 0).numpy().clip(0, 1)
    difference = None
    if done.returncode == 0:
        difference = float(f"{np.abs(read_image(target).pixels - expected).max():.2g}")
    return {
        "fixture": fixture,
        "prefix": prefix,
        "import_s": round(seconds, 1),
        "exit_code": done.returncode,
        "max_difference": difference,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", default="")
    prefix = parser.parse_args().prefix
    for fixture, (_, wrapper, _) in PUBLISHED.items():
        with tempfile.TemporaryDirectory() as folder:
            row = compare(fixture, prefix if wrapper else "", Path(folder))
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
