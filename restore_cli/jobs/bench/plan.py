"""Predicts what restoring pictures of some sizes would take, without any picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from restore_cli.jobs.bench.options import BenchOptions
from restore_cli.jobs.bench.subjects import Subject, subject
from restore_cli.jobs.json_report import JsonObject
from restore_cli.jobs.restore.memory_budget import STREAM_PIXELS, Budget, ImageBytes, program_bytes
from restore_cli.jobs.restore.prediction import StoredRows, plan_in_strips, plan_whole
from restore_cli.methods.method import Method
from restore_cli.methods.network import NetworkMethod, load_restorer

# A TIFF as most are: three channels of 16 bits, small strips.
_CHANNELS, _SAMPLE_BYTES, _STRIP_ROWS = 3, 2, 16


@dataclass(frozen=True, slots=True)
class Planned:
    """One model at one size."""

    model: str
    width: int
    height: int
    in_parts: bool  # from disk to disk, if it is a TIFF
    tiles: str
    network_s: float  # reading and writing the file is not counted
    peak_bytes: int  # of the process

    def to_dict(self) -> JsonObject:
        """Return it as ``--json`` prints it."""
        return {
            "model": self.model,
            "width": self.width,
            "height": self.height,
            "in_parts": self.in_parts,
            "tiles": self.tiles,
            "predicted_seconds": round(self.network_s, 4),
            "predicted_peak_bytes": self.peak_bytes,
        }


def plan(options: BenchOptions) -> Iterator[Planned]:
    """Predict every model at every size for 16-bit TIFFs, from a few tiles timed on this machine.

    Args:
        options: those about rounds and rivals are not looked at.

    Raises:
        WeightsError: an unknown or damaged model.
        DeviceError: device or precision cannot be had, or too little memory.
    """
    with tempfile.TemporaryDirectory(prefix="restore-bench-") as folder:
        for name in options.models or (None,):
            one = subject(name, Path(folder))
            restorer = load_restorer(str(one.path), options.engine, check=True)
            method = NetworkMethod(restorer, options.engine)
            budget = Budget(program_bytes(one.path.stat().st_size), options.max_memory_bytes)
            for width, height in options.sizes:
                yield _planned(one, method, budget, width, height)


def _planned(one: Subject, method: Method, budget: Budget, width: int, height: int) -> Planned:
    image = ImageBytes.of_size(width, height, _CHANNELS)
    in_parts = width * height > STREAM_PIXELS or not budget.fits(image)
    shape = (height, width, _CHANNELS)
    if in_parts:
        stored = StoredRows(width * _CHANNELS * _SAMPLE_BYTES, _STRIP_ROWS)
        strips = plan_in_strips(method, shape, stored, budget)
        plan, peak_bytes = strips.plan, strips.peak_bytes
    else:
        plan = plan_whole(method, shape, image, budget)
        peak_bytes = budget.peak(image, plan.memory_bytes)
    return Planned(one.name, width, height, in_parts, plan.tiles, plan.seconds(), peak_bytes)
