"""What a benchmark measured; plain data, cheap to import."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from restore_cli.jobs.json_report import JsonObject

PLAIN, RESTORE = "plain", "restore"


@dataclass(frozen=True, slots=True)
class Memory:
    """What one call needed at its peak, measured in a process that did nothing else."""

    extra_bytes: int  # above what the loaded program and network held before the call
    total_bytes: int  # of the process, or on a GPU of its tensors


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What this machine did in the same rounds when nothing but arithmetic was asked of it."""

    precision: str
    convolution_gflops: float  # 3×3, many channels
    product_gflops: float  # of square matrices


@dataclass(frozen=True, slots=True)
class Timed:
    """One way to compute a picture, and what it cost."""

    name: str
    precision: str = ""
    backend: str = ""  # of the engine, or of ONNX Runtime
    seconds: tuple[float, ...] = ()  # one for each round; empty if it could not be run
    memory: Memory | None = None
    psnr_db: float | None = None  # against plain; None: nothing to compare, or equal
    max_difference: float | None = None  # likewise, of intensities in [0, 1]
    error: str = ""

    @property
    def median_s(self) -> float:
        """Return the middle one of the seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Run:
    """One network at one size."""

    model: str
    architecture: str
    is_random: bool  # seeded random weights of a published size: time means something, pictures not
    parameters: int
    width: int
    height: int
    gflop: float  # of the network as published, two for each multiplication with its addition
    variants: tuple[Timed, ...]
    ceilings: tuple[Ceiling, ...]
    notes: tuple[str, ...] = ()

    @property
    def megapixels(self) -> float:
        """Return the size of the picture."""
        return self.width * self.height / 1e6

    def variant(self, name: str) -> Timed | None:
        """Return the variant of that name if it was timed."""
        return next((v for v in self.variants if v.name == name and v.seconds), None)

    def speedup(self, timed: Timed) -> float | None:
        """Return how many times as fast as plain it is, in the median of the rounds."""
        plain = self.variant(PLAIN)
        if plain is None or not timed.seconds:
            return None
        pairs = zip(plain.seconds, timed.seconds, strict=True)
        return statistics.median(before / after for before, after in pairs)

    def gflops(self, timed: Timed) -> float | None:
        """Return the published network's arithmetic over the time; a rival's is not known."""
        if timed.name not in (PLAIN, RESTORE) or not timed.seconds:
            return None
        return self.gflop / timed.median_s

    def share(self, timed: Timed) -> float | None:
        """Return how much of the convolution's ceiling at the same precision that is."""
        rate = self.gflops(timed)
        for ceiling in self.ceilings:
            if rate is not None and ceiling.precision == timed.precision:
                return rate / ceiling.convolution_gflops
        return None

    def to_dict(self) -> JsonObject:
        """Return the run as ``--json`` prints it."""
        return {
            "model": self.model,
            "architecture": self.architecture,
            "random_weights": self.is_random,
            "parameters": self.parameters,
            "width": self.width,
            "height": self.height,
            "gflop": round(self.gflop, 3),
            "notes": list(self.notes),
            "ceilings": [
                {
                    "precision": ceiling.precision,
                    "convolution_gflops": round(ceiling.convolution_gflops, 1),
                    "product_gflops": round(ceiling.product_gflops, 1),
                }
                for ceiling in self.ceilings
            ],
            "variants": [self._variant_to_dict(timed) for timed in self.variants],
        }

    def _variant_to_dict(self, timed: Timed) -> JsonObject:
        values: JsonObject = {
            "name": timed.name,
            "precision": timed.precision or None,
            "backend": timed.backend or None,
            "error": timed.error or None,
            "psnr_db": _rounded(timed.psnr_db, 2),
            "max_difference": timed.max_difference,
        }
        if timed.memory is not None:
            values["extra_memory_mib"] = round(timed.memory.extra_bytes / 2**20, 1)
            values["peak_memory_mib"] = round(timed.memory.total_bytes / 2**20, 1)
        if timed.seconds:
            values |= {
                "seconds": [round(seconds, 6) for seconds in timed.seconds],
                "median_s": round(timed.median_s, 6),
                "fastest_s": round(min(timed.seconds), 6),
                "slowest_s": round(max(timed.seconds), 6),
                "s_per_megapixel": round(timed.median_s / self.megapixels, 4),
                "speedup": _rounded(self.speedup(timed), 3),
                "gflops": _rounded(self.gflops(timed), 1),
                "share_of_ceiling": _rounded(self.share(timed), 3),
            }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What ``restore bench`` found on this machine."""

    device: str
    threads: int
    repeats: int
    tile: str
    torch: str
    runs: Sequence[Run]

    def to_dict(self) -> JsonObject:
        """Return the report as ``--json`` prints it."""
        return {
            "device": self.device,
            "threads": self.threads,
            "repeats": self.repeats,
            "tile": self.tile,
            "torch": self.torch,
            "runs": [run.to_dict() for run in self.runs],
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
