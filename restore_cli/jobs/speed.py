"""How fast this machine runs a network: measured once, then remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from restore_cli import __version__
from restore_cli.atomic import write_atomically
from restore_cli.errors import ImageError
from restore_cli.weights.store import cache_dir

if TYPE_CHECKING:
    from restore_cli.engine.planner import TilePlan
    from restore_cli.engine.restorer import Restorer

# Machines change: other programs, cooling, clocks.
KEPT_S = 24 * 3600.0
_CPUINFO = Path("/proc/cpuinfo")


def speed(restorer: Restorer, tiles: TilePlan, variant: str) -> float:
    """Return the seconds each pixel of a tile takes while all workers are busy.

    Measured in a second or two; remembered for a day in the user's cache folder, for this model,
    program, machine and size of tiles.

    Args:
        restorer: runs it.
        tiles: of which size and how many at a time.
        variant: what else makes a difference to how it runs.
    """
    from restore_cli.engine.planner import measure_speed

    key, now_s = _key(restorer, tiles, variant), time.time()
    known = _read()
    entry = known.get(key)
    if entry is not None and 0 <= now_s - entry[1] < KEPT_S:
        return entry[0]
    measured = measure_speed(restorer, tiles)
    recent = {k: v for k, v in known.items() if 0 <= now_s - v[1] < KEPT_S}
    _write({**recent, key: (measured, now_s)})
    return measured


def cache_file() -> Path:
    """Return where speeds are remembered."""
    return cache_dir().parent / "speed.json"


def _key(restorer: Restorer, tiles: TilePlan, variant: str) -> str:
    import torch

    facts = (
        __version__,
        torch.__version__,
        restorer.card.sha256 or restorer.card.name,
        variant,
        str(restorer.device),
        restorer.precision,
        restorer.backend,
        min(tiles.at_once, tiles.count),
        torch.get_num_threads(),
        (tiles.height, tiles.width),
        processor(),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def processor() -> str:
    """Return what the processor calls itself."""
    with contextlib.suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read() -> dict[str, tuple[float, float]]:
    try:
        content = json.loads(cache_file().read_text(encoding="utf-8"))
        return {str(key): (float(rate), float(at_s)) for key, (rate, at_s) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # absent or damaged: measured again


def _write(known: dict[str, tuple[float, float]]) -> None:
    file = cache_file()
    with contextlib.suppress(OSError, ImageError):  # a cache that cannot be written is none
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(known).encode())
