"""Kill ``restore batch`` with SIGKILL at random moments, and see what is left.

    python -m tests.benchmarks.batch_kill [--kills 100] [--images 40] [--together 2] [--fork]
                                           [--minutes 60]

A folder of tiny pictures is restored by a narrow random network. Every run is killed, between its
start and a while after its first result; now and then two share the folder. When a run gets to its
end, everything is compared with an undisturbed run and the results are removed. With ``--fork``
runs are forked from a process that has loaded torch, several times sooner than started. Counted are

- half files: a result that a reader could see after a kill is not what it should be,
- lost: a result is missing when a run has said that all is done,
- done twice: the journal says so of a result more than once, or a result was written again,
- temporary files and claims that the last run left.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image

JOURNAL = ".restore-journal.jsonl"
SIDE = 64
LOOK_S = 0.005
LONGEST_LOOKS = 100_000  # counted, not timed: this process may be held up, too
AFTER_FIRST_S = 0.6  # a kill comes at most so long after the first new line of the journal


@dataclass
class Counts:
    """What became of all kills."""

    kills: int = 0
    at_work: int = 0  # of the kills, after the first line was written
    torn: int = 0  # of the kills, the journal ended within a line
    rounds: int = 0
    half: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.half or self.lost or self.twice or self.left or self.failed)

    def to_dict(self) -> dict[str, object]:
        bad = ("half", "lost", "twice", "left", "failed")
        counted = {name: len(getattr(self, name)) for name in bad}
        named = {f"{name}_names": getattr(self, name)[:5] for name in bad if getattr(self, name)}
        facts = {"kills": self.kills, "at_work": self.at_work, "torn_lines": self.torn}
        return facts | {"undisturbed_ends": self.rounds} | counted | named


def make_pictures(folder: Path, count: int, seed: int = 0) -> None:
    """Write pictures that differ, some of them in folders further down."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        place = folder / f"part{number % 4}" if number % 4 else folder
        place.mkdir(parents=True, exist_ok=True)
        coarse = rng.random((SIDE // 16, SIDE // 16, 3), dtype=np.float32)
        pixels = np.kron(coarse, np.ones((16, 16, 1), np.float32))
        suffix = ("png", "jpg", "tif")[number % 3]
        write_image(place / f"picture{number:03}.{suffix}", Image(np.ascontiguousarray(pixels)))


def make_model(path: Path) -> None:
    """Write a seeded narrow network whose corrections are small."""
    import torch

    from models import create_model
    from restore_cli.weights.card import ModelCard
    from restore_cli.weights.files import save_model

    config = {"width": 4, "blocks": 1}
    torch.manual_seed(0)
    network = create_model("mimo-unet", config)
    for layer in network.output_layers():
        for parameter in layer.parameters():
            parameter.data *= 0.1
    facts = {"summary": "seeded, untrained", "licence": "Apache-2.0", "version": "0"}
    save_model(path, network, ModelCard("narrow", "mimo-unet", config, task="deblur", **facts))


def checksums(folder: Path) -> dict[str, str]:
    """Return the checksum of every file a reader would take for a result."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


class ForkedRun:
    """The program in a fork of this process, which should have no threads."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=self._run, args=(arguments,))
        self._process.start()
        self.pid = self._process.pid or 0

    def _run(self, arguments: list[str]) -> None:
        from restore_cli.cli.app import run

        with self._log.open("wb") as log:
            os.dup2(log.fileno(), 2)
            sys.stderr = os.fdopen(2, "w")
            os._exit(run(arguments))

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        self._process.join(timeout)
        if self._process.is_alive():
            raise subprocess.TimeoutExpired("restore batch", timeout or 0)
        return b"", self._log.read_bytes()


Run = subprocess.Popen[bytes] | ForkedRun


class Killer:
    """Runs a batch again and again, and kills it."""

    def __init__(
        self,
        inputs: Path,
        results: Path,
        model: Path,
        rng: random.Random,
        *,
        is_forked: bool = False,
    ) -> None:
        self.inputs, self.results, self.model, self.rng = inputs, results, model, rng
        self.is_forked = is_forked
        self.counts = Counts()
        reference = results.with_name("reference")
        self.finish(reference)
        self.expected = checksums(reference)
        self.written: dict[str, int] = {}  # when each result was written

    def start(self, results: Path) -> Run:
        arguments = ["batch", self.inputs, "-o", results, "-m", self.model, "--progress", "none"]
        texts = [str(part) for part in arguments]
        if self.is_forked:
            return ForkedRun(texts, self.inputs.with_name("stderr"))
        command = [sys.executable, "-m", "restore_cli", *texts]
        return subprocess.Popen(command, stderr=subprocess.PIPE)

    def finish(self, results: Path) -> None:
        process = self.start(results)
        _, stderr = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(stderr.decode())

    def run(self, kills: int, together: int = 1, longest_s: float = math.inf) -> Counts:
        """Kill so many runs, or as many as there is time for."""
        end_s = time.monotonic() + longest_s
        while self.counts.kills < kills and time.monotonic() < end_s:
            processes = [self.start(self.results) for _ in range(self.rng.randint(1, together))]
            ended = [self.killed(process) for process in processes]
            self.look()
            if all(ended):
                self.end()
        self.finish(self.results)
        self.end()
        return self.counts

    def killed(self, process: Run) -> bool:
        """Kill a run at a random moment; say whether it has come to its end before."""
        journal = self.results / JOURNAL
        before = journal.stat().st_size if journal.exists() else 0
        looks = 0
        is_early = self.rng.random() < 0.2
        wait_s = self.rng.uniform(0, 3 if is_early else AFTER_FIRST_S)
        while not is_early and process.poll() is None:
            if journal.exists() and journal.stat().st_size > before:
                break
            looks += 1
            if looks > LONGEST_LOOKS:
                raise RuntimeError("nothing happens")
            time.sleep(LOOK_S)
        try:
            _, stderr = process.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            self.counts.kills += 1
            self.counts.at_work += journal.exists() and journal.stat().st_size > before
            data = journal.read_bytes() if journal.exists() else b""
            self.counts.torn += bool(data) and not data.endswith(b"\n")
            return False
        if process.returncode != 0:
            self.counts.failed.append(stderr.decode()[-300:])
        return True

    def look(self) -> None:
        """Compare what a reader sees with what it should be."""
        for name, found in checksums(self.results).items():
            if self.expected.get(name) != found:
                self.counts.half.append(name)
            written = (self.results / name).stat().st_mtime_ns
            if self.written.setdefault(name, written) != written:
                self.counts.twice.append(f"{name}, written again")

    def end(self) -> None:
        """Look at what a run left that came to its end, and remove the results."""
        self.look()
        self.counts.rounds += 1
        self.counts.lost += sorted(set(self.expected) - set(checksums(self.results)))
        lines = (self.results / JOURNAL).read_bytes().splitlines()
        records = [json.loads(line) for line in lines if line.endswith(b"}")]
        done = Counter(record["output"] for record in records if record["step"] == "done")
        self.counts.twice += [name for name, times in done.items() if times > 1]
        for path in self.results.rglob(".restore-*"):
            if path.name != JOURNAL:
                self.counts.left.append(path.name)
        self.written.clear()
        for path in sorted(self.results.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def main() -> None:
    """Kill, count and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--together", type=int, default=2, help="the most runs at one time")
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop killing after these")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder / "in", chosen.images)
        make_model(folder / "narrow.safetensors")
        begun_s = time.monotonic()
        places = (folder / "in", folder / "out", folder / "narrow.safetensors")
        if chosen.fork:  # loaded once, for all runs
            import restore_cli.engine.restorer
            import restore_cli.jobs.batch.run  # noqa: F401
        killer = Killer(*places, random.Random(chosen.seed), is_forked=chosen.fork)
        counts = killer.run(chosen.kills, chosen.together, chosen.minutes * 60)
    seconds = round(time.monotonic() - begun_s)
    print(json.dumps(counts.to_dict() | {"images": chosen.images, "seconds": seconds}, indent=2))  # noqa: T201
    sys.exit(0 if counts.is_clean else 1)


if __name__ == "__main__":
    main()
