"""Seconds and peak memory of ``restore deblur`` on large 16-bit TIFFs, predicted and measured.

    python tests/benchmarks/large_images.py [--megapixels 12 24 100 400] [--folder DIR] [-- ...]

Each picture is a photo-like pattern in 16-bit RGB, deflated, written to a temporary folder. What
``--dry-run`` predicts is compared with a run in a process of its own: seconds with start-up,
peak resident memory as the system counts it. Options behind ``--`` go to ``restore deblur``.
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

from restore_cli.imaging.image import Image
from restore_cli.imaging.tiff.layout import to_samples
from restore_cli.imaging.tiff.writer import write_rows

ASPECT = 1.5
BAND = 256
SQUARE_FROM = 400  # megapixels: 20000×20000


def size_of(megapixels):
    """Return height and width."""
    aspect = 1.0 if megapixels >= SQUARE_FROM else ASPECT
    height = round((megapixels * 1e6 / aspect) ** 0.5)
    return height, round(height * aspect)


def bands(height, width):
    """Yield rows (h, W, 3) of waves with edges and a little noise, as they are stored."""
    rng = np.random.default_rng(0)
    for top in range(0, height, BAND):
        y, x = np.mgrid[top : min(top + BAND, height), 0:width].astype(np.float32)
        waves = [np.sin(x * a + y * b) for a, b in ((0.02, 0.05), (0.11, -0.03), (-0.07, 0.09))]
        edges = 0.15 * (np.sin(x / 40 + y / 25) > 0)[..., None]
        rows = 0.5 + 0.25 * np.stack(waves, axis=-1) + edges
        rows += 0.01 * rng.standard_normal(rows.shape, dtype=np.float32)
        yield to_samples(rows.clip(0, 1).astype(np.float32), None, "uint16")


def make(path, height, width):
    """Write a picture without ever holding it."""
    header = Image(np.broadcast_to(np.float32(0), (height, width, 3)), depth="uint16")
    write_rows(path, header, "uint16", bands(height, width))


def deblur(source, *options):
    """Return seconds, peak memory in bytes and standard output of a run."""
    command = [sys.executable, "-m", "restore_cli", "deblur", str(source), *options]
    start_s = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)  # peak memory of this child alone
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}: {out.decode()}")
    return time.perf_counter() - start_s, usage.ru_maxrss * 1024, out


def compare(megapixels, folder, options):
    height, width = size_of(megapixels)
    source, target = folder / f"{megapixels:g}.tif", folder / f"{megapixels:g}_out.tif"
    make(source, height, width)
    arguments = ("-o", str(target), "--json", "--progress", "none", *options)
    plan_s, _, out = deblur(source, "--dry-run", *arguments)
    plan = json.loads(out)["files"][0]
    seconds, peak_bytes, _ = deblur(source, *arguments)
    row = {
        "megapixels": megapixels,
        "width": width,
        "height": height,
        "in_parts": plan.get("in_parts", False),
        "tiles": plan["tiles"],
        "plan_seconds": round(plan_s, 1),
        "predicted_seconds": plan["predicted_seconds"],
        "seconds": round(seconds, 1),
        "off_seconds": f"{100 * (plan['predicted_seconds'] / seconds - 1):+.0f} %",
        "predicted_peak_mib": round(plan["predicted_peak_bytes"] / 2**20),
        "peak_mib": round(peak_bytes / 2**20),
        "off_peak": f"{100 * (plan['predicted_peak_bytes'] / peak_bytes - 1):+.0f} %",
    }
    for path in (source, target):
        path.unlink()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 24, 100])
    parser.add_argument("--folder", type=Path, help="where the pictures go for a while")
    parser.add_argument("options", nargs="*", help="for restore deblur, behind --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for megapixels in arguments.megapixels:
            row = compare(megapixels, Path(folder), arguments.options)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
