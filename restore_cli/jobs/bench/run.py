"""Times the engine, the plain network and rivals side by side, with what the machine can do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch

from models import ARCHITECTURES
from restore_cli.engine.channels import Pixels, to_tensor
from restore_cli.engine.device import Precision, choose_device, choose_precision
from restore_cli.engine.loading import Pooling
from restore_cli.errors import DeviceError
from restore_cli.jobs.bench.memory import peak_memory
from restore_cli.jobs.bench.report import PLAIN, RESTORE, BenchReport, Ceiling, Memory, Run, Timed
from restore_cli.jobs.bench.subjects import Subject, count_gflop, picture, subject
from restore_cli.jobs.bench.timing import Probe, interleaved, probes, warm_up
from restore_cli.jobs.bench.variants import Engine, Plain, Rival, Runner, Variant
from restore_cli.methods.onnx_session import OnnxSession
from restore_cli.metrics.distortion import psnr_db

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to time, and how."""

    models: Sequence[str] = ()  # names, files or published sizes; none: the default for deblurring
    sizes: Sequence[tuple[int, int]] = ((512, 512),)  # width, height
    repeats: int = 5
    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"  # of the engine
    tile: int | Literal["auto"] = "auto"  # likewise
    pooling: Pooling = "auto"  # likewise
    against: Sequence[Path] = ()  # ONNX files
    sigma_8bit: float = 25.0
    memory: bool = True  # measure peaks, one more call of each variant


def bench(options: BenchOptions, say: Say = lambda _: None) -> BenchReport:
    """Time every model at every size.

    Args:
        options: see there.
        say: told what is being done, one line at a time.

    Raises:
        WeightsError: an unknown or damaged model or rival.
        UsageError: rivals without ONNX Runtime, or of one other size.
        DeviceError: device or precision cannot be had, or too little memory for our engine.
    """
    device = choose_device(options.device)
    choose_precision(device, options.precision)
    threads = torch.get_num_threads()
    for file in options.against:
        OnnxSession(file, threads)  # refused now, and not after minutes of work
    with tempfile.TemporaryDirectory(prefix="restore-bench-") as folder:
        subjects = [subject(name, Path(folder)) for name in options.models or (None,)]
        runs = [
            _Bench(options, one, width, height, device, threads, say).run()
            for one in subjects
            for width, height in options.sizes
        ]
    return BenchReport(
        device=_device_name(device),
        threads=threads,
        repeats=options.repeats,
        tile=str(options.tile),
        torch=torch.__version__,
        runs=runs,
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    """One model at one size."""

    options: BenchOptions
    subject: Subject
    width: int
    height: int
    device: torch.device
    threads: int
    say: Say

    def run(self) -> Run:
        timed = [self._measured(variant) for variant in self._variants()]
        pixels = picture(self.width, self.height)
        runners: dict[str, Runner] = {}
        results: dict[str, Pixels] = {}
        for variant, found in timed:
            if not found.error:
                self.say(f"{self._title()}: warming up {variant.name}")
                runners[variant.name] = variant.load(self.threads)
                results[variant.name] = warm_up(partial(runners[variant.name], pixels), self.device)
        ceilings = self._probes(runners)
        calls: dict[str, Callable[[], object]] = {
            name: partial(runner, pixels) for name, runner in runners.items()
        }
        for probe in ceilings:
            warm_up(probe.run, self.device)
            calls[_key(probe)] = probe.run
        rounds = interleaved(calls, self.options.repeats, self.device, self._say_round)
        plain = results.get(PLAIN)
        variants = tuple(
            replace(
                _compared(found, results.get(found.name), plain if self._agrees(variant) else None),
                precision=runners[found.name].precision if found.name in runners else "",
                backend=runners[found.name].backend if found.name in runners else "",
                seconds=rounds.get(found.name, ()),
            )
            for variant, found in timed
        )
        return Run(
            model=self.subject.name,
            architecture=self.subject.card.architecture,
            is_random=self.subject.is_random,
            parameters=self.subject.parameters,
            width=self.width,
            height=self.height,
            gflop=count_gflop(self.subject.card, self.width, self.height),
            variants=variants,
            ceilings=_ceilings(ceilings, rounds),
            notes=tuple(self._notes()),
        )

    def _variants(self) -> list[Variant]:
        options, weights = self.options, self.subject.path
        engine = Engine(weights, options.device, options.precision, options.tile, options.pooling)
        rivals = [Rival(file, options.device, options.sigma_8bit) for file in options.against]
        return [Plain(weights, options.device), engine, *rivals]

    def _measured(self, variant: Variant) -> tuple[Variant, Timed]:
        """Return the variant with its peak memory, measured first: it may be more than there is."""
        if not self.options.memory:
            return variant, Timed(variant.name)
        self.say(f"{self._title()}: peak memory of {variant.name}")
        try:
            memory: Memory | None = peak_memory(
                variant,
                width=self.width,
                height=self.height,
                device=self.options.device,
                threads=self.threads,
            )
        except DeviceError as error:
            if variant.name == RESTORE:
                raise
            return variant, Timed(variant.name, error=str(error))
        return variant, Timed(variant.name, memory=memory)

    def _probes(self, runners: dict[str, Runner]) -> list[Probe]:
        """Return what measures the ceiling, for each precision our variants compute in."""
        names = {runners[name].precision for name in (PLAIN, RESTORE) if name in runners}
        found: list[Probe] = []
        for name in sorted(names, reverse=True):
            found += probes(self.device, cast("Precision", name), self.threads)
        return found

    def _agrees(self, variant: Variant) -> bool:
        """Say whether a variant computes the same picture as plain."""
        if not isinstance(variant, Rival):
            return True
        sha256 = OnnxSession(variant.file, self.threads).facts.get("sha256")
        return sha256 == self.subject.card.sha256

    def _notes(self) -> list[str]:
        notes = []
        if self.subject.is_random:
            notes.append(f"{self.subject.name}: published size, random weights")
        patch = ARCHITECTURES[self.subject.card.architecture].patch
        if patch and self.options.pooling != "global" and max(self.width, self.height) > patch:
            notes.append(
                f"{self.subject.name}: restore takes means over windows of {patch} pixels, plain"
                " over the whole image; --pooling global makes them agree"
            )
        return notes

    def _say_round(self, done: int) -> None:
        self.say(f"{self._title()}: round {done} of {self.options.repeats}")

    def _title(self) -> str:
        return f"{self.subject.name} {self.width}x{self.height}"


def _compared(timed: Timed, result: Pixels | None, plain: Pixels | None) -> Timed:
    if timed.name == PLAIN or result is None or plain is None:
        return timed
    difference = float(np.abs(result - plain).max())
    if difference == 0:
        return replace(timed, max_difference=0.0)
    psnr = psnr_db(to_tensor(result), to_tensor(plain)).item()
    return replace(timed, psnr_db=psnr, max_difference=difference)


def _ceilings(probes: list[Probe], rounds: dict[str, tuple[float, ...]]) -> tuple[Ceiling, ...]:
    rates: dict[str, dict[str, float]] = {}
    for probe in probes:
        seconds = float(np.median(rounds[_key(probe)]))
        rates.setdefault(probe.precision, {})[probe.kind] = probe.gflop / seconds
    return tuple(
        Ceiling(precision, rate["convolution"], rate["product"])
        for precision, rate in rates.items()
    )


def _key(probe: Probe) -> str:
    return f"{probe.kind} in {probe.precision}"


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)
