"""Break image and video files in thousands of ways, and see whether the program minds.

    python -m tests.benchmarks.fuzz [--inputs 5000] [--seed 0] [--first 0] [--workers 1]
                                    [--keep FOLDER] [--log FILE] [FOLDER...]

Each input is a file of the corpus (samples, the folders named, variants made here), changed by
``mutations.py``: the number of an input and the seed name it. It is restored as ``restore deblur``
does, from file to file, by a narrow random MIMO-UNet that is loaded once. The work is done in
forked processes that are counted on to die. Every input should either be restored, and the result
be readable, or be refused by one line with an exit code. Counted as failures are

- any other exception, and a warning of Python's,
- a result that cannot be read, or of another size; any other file that is left,
- a process that dies, with the signal,
- more than CPU_S seconds of the processor, or STUCK_S seconds of waiting,
- more memory than AS_BYTES of addresses or PEAK_BYTES of pages beside what the program has,
- anything printed on stderr by native code.

Pictures of more than MAX_PIXELS are refused by the limit that users have, too; what is refused
so is decoded once more with DECODED_PIXELS, but not restored.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from unittest import mock

from restore_cli.engine.options import EngineOptions
from restore_cli.errors import RestoreError
from restore_cli.imaging.limits import VARIABLE
from restore_cli.imaging.reading import read_image
from restore_cli.jobs.restore import opening
from restore_cli.jobs.restore import run as restore
from restore_cli.jobs.restore.run import restore_files
from restore_cli.methods.network import load_network
from tests.benchmarks.batch_kill import make_model
from tests.benchmarks.fuzz_corpus import Seed, corpus
from tests.benchmarks.mutations import mutated
from tests.options import restore_options

MAX_PIXELS, DECODED_PIXELS = 300_000, 16_000_000
CPU_S, STUCK_S = 30, 1800
AS_BYTES, PEAK_BYTES = 4 << 30, 1 << 30
RESULTS = ("tiff", "png", "jpeg", "webp", "avif", "jp2", "bmp")  # now and then, for other formats


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one input."""

    number: int
    seed: str
    kind: str  # "restored", "refused" or what went wrong
    text: str = ""


@dataclass(slots=True)
class Counts:
    """What became of all inputs."""

    kinds: Counter[str] = field(default_factory=Counter)
    formats: dict[str, Counter[str]] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)  # of refusals, without names and numbers
    failures: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.kinds[verdict.kind] += 1
        suffix = Path(verdict.seed).suffix.lower()
        self.formats.setdefault(suffix, Counter())[verdict.kind] += 1
        if verdict.kind == "refused":
            words = verdict.text.partition(" (")[0].split()
            self.lines[" ".join(word for word in words if word.isalpha())] += 1
        elif verdict.kind != "restored":
            self.failures.append(verdict)

    def to_dict(self) -> dict[str, object]:
        failures = [
            f"{verdict.number} {verdict.seed}: {verdict.kind}: {verdict.text}"
            for verdict in self.failures
        ]
        return {
            "inputs": self.kinds.total(),
            "kinds": dict(self.kinds.most_common()),
            "formats": {name: dict(kinds) for name, kinds in sorted(self.formats.items())},
            "refusals": dict(self.lines.most_common(40)),
            "failures": failures,
        }


class Fuzzer:
    """Makes inputs by their numbers, and tries them."""

    def __init__(self, seeds: list[Seed], seed: int, place: Path, model: Path) -> None:
        self.seeds, self.seed, self.place, self.model = seeds, seed, place, model
        self.weights = [item.weight for item in seeds]

    def input(self, number: int) -> tuple[Seed, bytes, random.Random]:
        """Return the file that is broken, what it becomes, and the generator to go on with."""
        rng = random.Random(f"{self.seed} {number}")
        seed, other = rng.choices(self.seeds, self.weights, k=2)
        return seed, mutated(seed.data, other.data, rng), rng

    def attempt(self, number: int) -> Verdict:
        """Restore an input; stderr must be a file."""
        seed, data, rng = self.input(number)
        folder = self.place / f"{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        path = folder / f"input{Path(seed.name).suffix}"
        path.write_bytes(data)
        format_name = rng.choice(RESULTS) if rng.random() < 0.15 else None
        # Every other TIFF goes from disk to disk, as large ones do.
        stream_pixels = 0 if rng.random() < 0.5 else MAX_PIXELS
        with (
            mock.patch.object(opening, "STREAM_PIXELS", stream_pixels),
            mock.patch.dict(os.environ, {VARIABLE: str(MAX_PIXELS)}),
        ):
            kind, text = self._tried(path, folder / "out", format_name)
        if kind == "refused" and "over the limit" in text:
            with mock.patch.dict(os.environ, {VARIABLE: str(DECODED_PIXELS)}):
                kind, text = self._decoded(path, text)
        return Verdict(number, seed.name, kind, text)

    def _tried(self, path: Path, out: Path, format_name: str | None) -> tuple[str, str]:
        options = restore_options(model=str(self.model), format=format_name, device="cpu")
        try:
            report = restore_files([str(path)], f"{out}/", options)
        except RestoreError as error:  # what concerns the call: a video that asks for --size
            return self._refusal(error, out)
        except Exception as error:  # noqa: BLE001 - finding those is what this is for
            return "exception", _described(error)
        (result,) = report.files
        if result.error is not None:
            return self._refusal(result.error, out)
        return self._result(result.output or "", (result.width, result.height), out)

    def _refusal(self, error: RestoreError, out: Path) -> tuple[str, str]:
        left = [item.name for item in out.rglob("*")]
        # Of a damaged Y4M, what is whole has been written, as to a pipe.
        if left and not left[0].endswith(".y4m"):
            return "file left", f"{left}: {error}"
        text = str(error)
        if "\n" in text or not text:
            return "not one line", text
        if type(error) is RestoreError:
            return "unexpected", text
        is_memory = "memory" in text or "bad_alloc" in text or error.exit_code == 5
        return ("memory" if is_memory else "refused"), f"{error.what} ({error.hint})"

    def _result(
        self, output: str, size: tuple[int | None, int | None], out: Path
    ) -> tuple[str, str]:
        found = list(out.rglob("*"))
        if [str(item) for item in found] != [output]:
            return "file left", str(found)
        if Path(output).suffix in (".y4m", ".mp4", ".mkv", ".webm"):
            return "restored", ""
        try:
            image = read_image(output)
        except Exception as error:  # noqa: BLE001 - whatever it is, users could not read it either
            return "unreadable result", f"{Path(output).suffix} {_described(error)}"
        if (image.width, image.height) != size:
            return "unreadable result", f"{image.width}×{image.height} instead of {size}"
        return "restored", ""

    def _decoded(self, path: Path, text: str) -> tuple[str, str]:
        try:
            read_image(path)
        except RestoreError as error:
            return self._refusal(error, path.parent / "out")
        except Exception as error:  # noqa: BLE001 - finding those is what this is for
            return "exception", _described(error)
        return "refused", text


def _described(error: BaseException) -> str:
    """Return an exception with the last place in our code it passed."""
    where, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "restore_cli" in file:
            where = f"{Path(file).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{where} {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _peak_bytes() -> int:
    """Return the most pages this process has had since the last call; 0 where nobody says."""
    if not Path("/proc/self/clear_refs").exists():
        return 0
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(peak.split()[1]) << 10


@contextmanager
def stderr_in_file() -> Iterator[Callable[[], str]]:
    """Give what returns the text printed on stderr since it was last asked."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)

        def printed() -> str:
            sys.stderr.flush()
            size = os.fstat(2).st_size
            os.lseek(2, 0, os.SEEK_SET)
            text = os.read(2, size).decode("utf-8", "replace")
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
            return text

        try:
            yield printed
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def attempts(fuzzer: Fuzzer, numbers: range) -> Iterator[Verdict]:
    """Try inputs in this process, and see what they print and how many pages they take."""
    method = load_network(str(fuzzer.model), EngineOptions(device="cpu"), "deblur")
    with (
        mock.patch.object(restore, "load_network", return_value=method),  # the same for all
        warnings.catch_warnings(),
        stderr_in_file() as printed,
    ):
        warnings.simplefilter("error")
        base_bytes = _peak_bytes()
        for number in numbers:
            verdict = fuzzer.attempt(number)
            text = printed().strip()
            peak_bytes = _peak_bytes() - base_bytes
            if verdict.kind in ("restored", "refused") and text:
                verdict = Verdict(number, verdict.seed, "noise on stderr", text[:300])
            elif verdict.kind in ("restored", "refused") and peak_bytes > PEAK_BYTES:
                what = f"{peak_bytes >> 20} MiB; {verdict.kind} {verdict.text}"
                verdict = Verdict(number, verdict.seed, "memory", what)
            yield verdict


class Worker:
    """A process that tries inputs, and tells which one it is at."""

    def __init__(self, fuzzer: Fuzzer, numbers: range) -> None:
        self.fuzzer, self.numbers = fuzzer, numbers
        self._pending = b""
        self.is_done = False
        self._start()

    def _start(self) -> None:
        self.output, write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.output)
            self._work(write)
        os.close(write)
        self.last_s = time.monotonic()

    def _work(self, write: int) -> None:
        used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used_bytes + AS_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)  # its signal ends the process
        for verdict in attempts(self.fuzzer, self.numbers):
            signal.setitimer(signal.ITIMER_PROF, CPU_S)
            os.write(write, json.dumps(asdict(verdict)).encode() + b"\n")
        os._exit(0)

    def verdicts(self) -> list[Verdict]:
        """Wait for what there is to read; a process that has died is replaced."""
        chunk = os.read(self.output, 1 << 16)
        self.last_s = time.monotonic()
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        found = [Verdict(**json.loads(line)) for line in lines]
        if found:
            self.numbers = range(found[-1].number + 1, self.numbers.stop)
        return found if chunk else self._died()

    def _died(self) -> list[Verdict]:
        """Say at which input the process has died, and go on behind it with a new one."""
        os.close(self.output)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        found = []
        if self.numbers:
            number = self.numbers.start
            kind = {-signal.SIGPROF: "hang", -signal.SIGKILL: "stuck"}.get(status, "died")
            name = self.fuzzer.input(number)[0].name
            found.append(Verdict(number, name, kind, f"exit {status}"))
            self.numbers = self.numbers[1:]
        if self.numbers:
            self._start()
        else:
            self.is_done = True
        return found


def run(fuzzer: Fuzzer, numbers: range, count: int, on_verdict: Callable[[Verdict], None]) -> None:
    """Try inputs in so many processes at a time."""
    ends = [len(numbers) * part // count for part in range(count + 1)]
    parts = [numbers[start:end] for start, end in pairwise(ends)]
    workers = [Worker(fuzzer, part) for part in parts if part]
    while workers:
        ready, _, _ = select.select([worker.output for worker in workers], [], [], 10)
        for worker in workers:
            if worker.output in ready:
                for verdict in worker.verdicts():
                    on_verdict(verdict)
            elif time.monotonic() - worker.last_s > STUCK_S:
                os.kill(worker.pid, signal.SIGKILL)
        workers = [worker for worker in workers if not worker.is_done]


def main() -> None:
    """Break, try, count and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="*", help="more files to break")
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that fail")
    parser.add_argument("--log", type=Path, help="a file for one line of JSON per input")
    chosen = parser.parse_args()
    counts = Counts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "made").mkdir()
        make_model(folder / "narrow.safetensors")
        seeds = corpus(chosen.folders, folder / "made")
        fuzzer = Fuzzer(seeds, chosen.seed, folder / "work", folder / "narrow.safetensors")

        def take(verdict: Verdict) -> None:
            counts.add(verdict)
            if chosen.log:
                with chosen.log.open("a") as log:
                    log.write(json.dumps(asdict(verdict)) + "\n")
            if chosen.keep and verdict.kind not in ("restored", "refused"):
                chosen.keep.mkdir(parents=True, exist_ok=True)
                _, data, _ = fuzzer.input(verdict.number)
                (chosen.keep / f"{verdict.number}_{verdict.seed}").write_bytes(data)

        numbers = range(chosen.first, chosen.first + chosen.inputs)
        run(fuzzer, numbers, chosen.workers, take)
    facts = {"seed": chosen.seed, "first": chosen.first, "files": len(seeds)}
    print(json.dumps(facts | counts.to_dict(), indent=2, ensure_ascii=False))  # noqa: T201
    sys.exit(1 if counts.failures else 0)


if __name__ == "__main__":
    main()
