"""Remembers how fast this machine runs a network, and times a trial where it does not know."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore_cli import __version__
from restore_cli.atomic import write_atomically
from restore_cli.errors import ImageError
from restore_cli.methods.method import OnTile
from restore_cli.weights.store import cache_dir

if TYPE_CHECKING:
    from restore_cli.engine.planner import TilePlan
    from restore_cli.engine.restorer import Restorer

# A trial is kept for a day: machines change (other programs, cooling, clocks).
KEPT_S = 24 * 3600.0
# A trial is kept only if its workers had this share of the processors' time.
LEAST_SHARE = 0.75
# Runs are kept longer than trials: they are real, and the fastest had the machine to itself.
KEPT_RUN_S = 30 * 24 * 3600.0
KEPT_RUNS = 5
WORTH_KEEPING_S = 2.0  # in a shorter run the first tile's waiting counts too much
_ALIKE = 4.0  # the rate is about the same for up to 4 times as many pixels in a tile, or as few
_CPUINFO = Path("/proc/cpuinfo")


class Clock:
    """Times the tiles of a picture.

    Attributes:
        worked_s: seconds from the start to the last tile so far.
        tiles: how many tiles there are in all.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self._started_s = time.perf_counter()
        self.worked_s = 0.0
        self.tiles = 0

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the run was long enough to tell the speed."""
        return self.worked_s >= WORTH_KEEPING_S

    def timing(self, on_tile: OnTile | None) -> OnTile:
        """Return a progress function that also stops the time."""

        def tile_done(done: int, total: int) -> None:
            self.worked_s = time.perf_counter() - self._started_s
            self.tiles = total
            if on_tile is not None:
                on_tile(done, total)

        return tile_done


def speed(restorer: Restorer, tiles: TilePlan, variant: str) -> float:
    """Return the seconds that each pixel of a tile takes while all workers are busy.

    This is the rate of the fastest of the last runs with tiles of about this size. Without such
    runs, one or two seconds of work are timed, which promises too little for slow networks. The
    trial is remembered for a day, unless other programs kept the processors busy.

    Args:
        restorer: the engine.
        tiles: their size, and how many are restored at a time.
        variant: what else changes the speed, in words.
    """
    from restore_cli.engine.planner import measure_speed

    size = tiles.height * tiles.width
    rates = [
        rate
        for rate, pixels, _ in _recent(_read(runs_file()).get(_key(restorer, tiles, variant)))
        if size / _ALIKE <= pixels <= size * _ALIKE
    ]
    if rates:
        return min(rates)
    key, now_s = _key(restorer, tiles, variant, (tiles.height, tiles.width)), time.time()
    known = {k: v for k, v in _read(cache_file()).items() if _is_of_today(v, now_s)}
    if key in known:
        return float(known[key][0])
    started_s, worked_before_s = time.perf_counter(), time.process_time()
    measured = measure_speed(restorer, tiles)
    worked_s = time.process_time() - worked_before_s
    could_s = (time.perf_counter() - started_s) * min(tiles.at_once, tiles.count)
    if restorer.device.type != "cpu" or worked_s >= LEAST_SHARE * could_s:
        _write(cache_file(), {**known, key: (measured, now_s)})
    return measured


def remember(restorer: Restorer, tiles: TilePlan, variant: str, clock: Clock) -> None:
    """Remember how fast a run was, unless it was short or had other tiles than planned.

    Args:
        restorer: the engine, after the run.
        tiles: as they were planned.
        variant: as for :func:`speed`.
        clock: it has timed all tiles.
    """
    if not clock.is_worth_keeping or clock.tiles != tiles.count_at_all_scales:
        return
    known, key = _read(runs_file()), _key(restorer, tiles, variant)
    run = (clock.worked_s / tiles.seconds(1.0), tiles.height * tiles.width, time.time())
    _write(runs_file(), {**known, key: [*_recent(known.get(key)), run][-KEPT_RUNS:]})


def cache_file() -> Path:
    """Return the file that keeps trials."""
    return cache_dir().parent / "speed.json"


def runs_file() -> Path:
    """Return the file that keeps runs."""
    return cache_dir().parent / "runs.json"


def _key(restorer: Restorer, tiles: TilePlan, variant: str, *more: object) -> str:
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
        *more,
        processor(),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _recent(runs: Any) -> list[tuple[float, float, float]]:  # noqa: ANN401 - what a file held
    """Return rate, pixels of a tile and time of each run that is not too old."""
    now_s = time.time()
    with contextlib.suppress(ValueError, TypeError):
        rows = [(float(rate), float(pixels), float(at_s)) for rate, pixels, at_s in runs or ()]
        return [row for row in rows if 0 <= now_s - row[2] < KEPT_RUN_S]
    return []


def _is_of_today(entry: Any, now_s: float) -> bool:  # noqa: ANN401 - what a file held
    with contextlib.suppress(ValueError, TypeError):
        _, at_s = (float(value) for value in entry)
        return 0 <= now_s - at_s < KEPT_S
    return False


def _read(file: Path) -> dict[str, Any]:
    """Return what a file keeps; nothing if it is missing or damaged."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(file: Path, known: dict[str, Any]) -> None:
    with contextlib.suppress(OSError, ImageError):  # a cache that cannot be written is none
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(known).encode())
