"""What restoring pictures of some sizes would take, without any picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from restore_cli.engine.restorer import Restorer
from restore_cli.jobs.bench.run import BenchOptions
from restore_cli.jobs.bench.subjects import Subject, subject
from restore_cli.jobs.json_report import JsonObject
from restore_cli.jobs.restore.memory_budget import STREAM_PIXELS, Budget, ImageBytes, program_bytes
from restore_cli.jobs.restore.prediction import share_in_parts, share_whole, variant_of
from restore_cli.methods.speed_history import speed

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


def plan(options: BenchOptions, max_memory_bytes: int | None = None) -> Iterator[Planned]:
    """Predict every model at every size for 16-bit TIFFs, from a few tiles timed on this machine.

    Args:
        options: those about rounds and rivals are not looked at.
        max_memory_bytes: for the whole process.

    Raises:
        WeightsError: an unknown or damaged model.
        DeviceError: device or precision cannot be had, or too little memory.
    """
    with tempfile.TemporaryDirectory(prefix="restore-bench-") as folder:
        for name in options.models or (None,):
            one = subject(name, Path(folder))
            restorer = Restorer(
                one.path,
                device=options.device,
                precision=options.precision,
                tile=options.tile,
                pooling=options.pooling,
            )
            budget = Budget(program_bytes(one.path.stat().st_size), max_memory_bytes)
            for width, height in options.sizes:
                yield _planned(one, restorer, budget, width, height, options.pooling)


def _planned(
    one: Subject, restorer: Restorer, budget: Budget, width: int, height: int, pooling: str
) -> Planned:
    image = ImageBytes.of_size(width, height, _CHANNELS)
    in_parts = width * height > STREAM_PIXELS or not budget.fits(image)
    shape = (height, width, _CHANNELS)
    if in_parts:
        row_bytes = width * _CHANNELS * _SAMPLE_BYTES
        share = share_in_parts(shape, row_bytes, _STRIP_ROWS, restorer, budget)
    else:
        share = share_whole(image, shape, restorer, budget)
    tiles = share.tiles
    rate = speed(restorer, tiles, variant_of(pooling))
    size = f"{tiles.count} of {tiles.width}x{tiles.height}"
    return Planned(one.name, width, height, in_parts, size, tiles.seconds(rate), share.peak_bytes)
