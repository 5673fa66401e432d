"""How much of its time a batch spends in the network: its throughput over that of pure forwards.

    python tests/benchmarks/batch_speed.py [--images 200] [--size 320x240] [--model NAME]

Pictures are restored by ``restore_batch`` in this process, the model loaded before; then the same
engine restores the same pixels again, from memory and with nothing beside it. The quotient of the
two times is 1 where reading, decoding, encoding, checksums, the journal and writing cost nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.batch import run as job
from restore_cli.jobs.batch.run import restore_batch
from restore_cli.jobs.restore.model_choice import choose_model
from restore_cli.methods.network import NetworkMethod, load_restorer
from tests.options import restore_options

SUFFIXES = ("png", "jpg")


def make_pictures(folder, count, width, height):
    """Write pictures of edges and grain, half of them PNG and half JPEG."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        coarse = rng.random((height // 20 + 1, width // 20 + 1, 3), dtype=np.float32)
        pixels = np.kron(coarse, np.ones((20, 20, 1), np.float32))[:height, :width]
        pixels += 0.02 * rng.standard_normal(pixels.shape, dtype=np.float32)
        path = folder / f"{number:04}.{SUFFIXES[number % 2]}"
        write_image(path, Image(np.ascontiguousarray(pixels.clip(0, 1))))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--model")
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    options = restore_options(model=chosen.model)
    model = choose_model("deblur", chosen.model)[0]
    restorer = load_restorer(model, options.engine, check=True)
    # Loading is not what is measured.
    job.load_network = lambda *_: NetworkMethod(restorer, options.engine)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        make_pictures(folder, chosen.images, width, height)
        images = [read_image(path).pixels for path in sorted(folder.iterdir())]
        for pixels in images[:2]:
            restorer(pixels)
        started_s = time.perf_counter()
        report = restore_batch([str(folder)], None, options)
        batch_s = time.perf_counter() - started_s
        started_s = time.perf_counter()
        for pixels in images:
            restorer(pixels)
        forward_s = time.perf_counter() - started_s
    result = {
        "images": report.done,
        "size": chosen.size,
        "batch_s": round(batch_s, 2),
        "in_the_network_s": round(report.compute_s, 2),
        "forward_alone_s": round(forward_s, 2),
        "images_per_s": round(report.done / batch_s, 2),
        "forward_over_batch": round(forward_s / batch_s, 3),
    }
    print(json.dumps(result, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
