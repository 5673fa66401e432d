"""What restores the pictures of an evaluation: the engine, other programs' networks, or others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from restore_cli.classical.nonlocal_means import nonlocal_means
from restore_cli.data.pairs import images_below
from restore_cli.deconvolution.classical import richardson_lucy, wiener
from restore_cli.engine.channels import Pixels
from restore_cli.engine.device import choose_device
from restore_cli.engine.options import EngineOptions
from restore_cli.errors import ImageError, UsageError, WeightsError
from restore_cli.imaging.reading import read_image
from restore_cli.jobs.bench.variants import OnnxRunner
from restore_cli.jobs.eval.options import MethodOptions, Rival
from restore_cli.jobs.eval.pictures import PictureSet, Sample, as_grey
from restore_cli.jobs.eval.report import MethodFacts
from restore_cli.jobs.restore.model_choice import choose_model
from restore_cli.methods.network import load_restorer
from restore_cli.methods.onnx_session import OnnxSession

# The engine tries out precisions on the middle of its first image, of this side.
_TRIAL_SIDE = 256
# A network that does not say what sides it takes is tried with this one, padded to each of these.
_ODD_SIDE = 61
_MULTIPLES = (1, 2, 4, 8, 16, 32)
# How the restoring commands call what they write.
_ENDINGS = ("", "_deblur", "_denoise", "_derain", "_enhance", "_upscale")


class Method(Protocol):
    """Restores pictures."""

    is_timed: bool

    @property
    def facts(self) -> MethodFacts:
        """Return what it is called, and how it computes as far as that is known by now."""

    def prepare(self, sample: Sample) -> None:
        """Do once, on the first picture, what is not to be counted for it."""

    def __call__(self, sample: Sample) -> Pixels:
        """Return the restored picture, which may go beyond [0, 1]."""


def load_methods(
    options: MethodOptions, engine: EngineOptions, sets: Sequence[PictureSet]
) -> tuple[Method, ...]:
    """Load every method once, whatever it is named.

    Args:
        options: with no method at all, the default model for the task of the first set is taken.
        engine: how our engine computes.
        sets: what is to be restored.

    Raises:
        WeightsError: an unknown or damaged model or network.
        UsageError: ONNX Runtime is not installed, or the level of noise is not told.
        ImageError: a restored picture is missing.
        DeviceError: device or precision cannot be had.
    """
    models = tuple(dict.fromkeys(options.models))
    if not (models or options.onnx or options.restored or options.rivals):
        models = (choose_model(options.task or sets[0].task, None)[0],)
    found: list[Method] = [_Engine(name, engine) for name in models]
    # Before our engine may give each of its workers one thread.
    threads = torch.get_num_threads()
    for file in dict.fromkeys(options.onnx):
        found += _networks(file, options, engine.device, threads)
    for name in dict.fromkeys(options.rivals):
        found += _classical(name, options, sets)
    if options.restored and len(sets) > 1:
        raise UsageError("--restored goes with one --data", hint="measure one set at a time")
    found += [_RestoredFolder(folder, sets[0]) for folder in dict.fromkeys(options.restored)]
    return tuple(found)


class _Engine:
    """A model as the restoring commands run it; a colour shift is measured, not refused."""

    is_timed = True

    def __init__(self, model: str, options: EngineOptions) -> None:
        self._restorer = load_restorer(model, options, check=False)
        card = self._restorer.card
        # A run's files all have their recipe's name.
        name = model if Path(model).expanduser().is_file() else card.name
        self._facts = MethodFacts(name, "model", sha256=card.sha256)

    @property
    def facts(self) -> MethodFacts:
        precision, backend = self._restorer.precision, self._restorer.backend
        return replace(self._facts, precision=precision, backend=backend)

    def prepare(self, sample: Sample) -> None:
        height, width = sample.degraded.shape[:2]
        top, left = (max(0, side - _TRIAL_SIDE) // 2 for side in (height, width))
        self._restorer(sample.degraded[top : top + _TRIAL_SIDE, left : left + _TRIAL_SIDE])

    def __call__(self, sample: Sample) -> Pixels:
        return self._restorer(sample.degraded)


class _Network:
    """Another program's network in ONNX Runtime, over the whole picture."""

    is_timed = True

    def __init__(self, file: Path, session: OnnxSession, sigma_8bit: float | None) -> None:
        self._run = OnnxRunner(session, sigma_8bit or 0.0)
        self._is_told_multiple = session.multiple_of is not None
        name = str(file) if sigma_8bit is None else f"{file} at {sigma_8bit:g}"
        self._facts = MethodFacts(name, "onnx", told_sigma_8bit=sigma_8bit)

    @property
    def facts(self) -> MethodFacts:
        return replace(self._facts, backend=self._run.backend)

    def prepare(self, sample: Sample) -> None:
        """Pad no more than it needs: mirrored noise at the borders costs thousandths of a dB."""
        odd = sample.degraded[:_ODD_SIDE, :_ODD_SIDE]
        for multiple_of in () if self._is_told_multiple else _MULTIPLES:
            self._run.multiple_of = multiple_of
            try:
                if self._run(odd).shape == odd.shape:
                    return
            except WeightsError:
                continue
            except UsageError:  # it takes pictures of one size only
                return

    def __call__(self, sample: Sample) -> Pixels:
        return self._run(sample.degraded)


class _Classical:
    """A method of no network, told the noise or the kernel."""

    is_timed = True

    def __init__(self, facts: MethodFacts, run: Callable[[Sample], Pixels]) -> None:
        self.facts = facts
        self._run = run

    def prepare(self, sample: Sample) -> None:
        """Nothing."""

    def __call__(self, sample: Sample) -> Pixels:
        return self._run(sample)


class _RestoredFolder:
    """Pictures that were restored elsewhere, found by their names."""

    is_timed = False

    def __init__(self, folder: Path, pictures: PictureSet) -> None:
        if not folder.is_dir():
            raise UsageError("no such folder", path=folder)
        self.facts = MethodFacts(str(folder), "restored")
        self._grey = pictures.grey
        files = {
            path.relative_to(folder).with_suffix("").as_posix(): path
            for path in images_below(folder)
        }
        self._files: dict[str, Path] = {}
        short = Counter(Path(name).name for name in pictures.names)
        for name, below in zip(pictures.names, pictures.paths_below, strict=True):
            # Without its folders only where no other picture is called the same.
            known = [name, below, *([Path(name).name] if short[Path(name).name] == 1 else [])]
            keys = [f"{key}{ending}" for key in known for ending in _ENDINGS]
            file = next((files[key] for key in keys if key in files), None)
            if file is None:
                hint = "files are found by the names of the degraded ones, whatever their suffixes"
                raise ImageError(f"holds no restored {name}", path=folder, hint=hint)
            self._files[name] = file

    def prepare(self, sample: Sample) -> None:
        """Nothing."""

    def __call__(self, sample: Sample) -> Pixels:
        file = self._files[sample.name]
        pixels = read_image(file).pixels
        if self._grey:
            pixels = as_grey(pixels)
        if pixels.shape != sample.clean.shape:
            what = f"is {pixels.shape} (rows, columns, channels), the clean one"
            raise ImageError(f"{what} {sample.clean.shape}", path=file)
        return pixels


def _classical(rival: Rival, options: MethodOptions, sets: Sequence[PictureSet]) -> list[Method]:
    """Return a classical method, as often as there are levels to be told it."""
    if rival != "nlm" and not all(pictures.degrading.kernels for pictures in sets):
        raise UsageError(f"{rival} needs to be told the kernel", hint="with --kernels")
    if rival == "richardson-lucy":
        facts = MethodFacts(rival, "classical", precision="fp32", backend="OpenCV")
        return [_Classical(facts, _by_richardson_lucy)]
    run, precision, backend = _TOLD_NOISE[rival]
    return [
        _Classical(
            MethodFacts(
                f"{rival} at {sigma:g}", "classical", precision, backend, told_sigma_8bit=sigma
            ),
            partial(run, sigma_8bit=sigma),
        )
        for sigma in _told(rival, options)
    ]


def _by_nonlocal_means(sample: Sample, sigma_8bit: float) -> Pixels:
    return nonlocal_means(sample.degraded, sigma_8bit)


def _by_wiener(sample: Sample, sigma_8bit: float) -> Pixels:
    return wiener(sample.degraded, _kernel(sample), sigma_8bit)


def _by_richardson_lucy(sample: Sample) -> Pixels:
    return richardson_lucy(sample.degraded, _kernel(sample))


# By name: what it does with a picture and the noise, and how it computes.
_TOLD_NOISE = {
    "nlm": (_by_nonlocal_means, "8 bit", "OpenCV"),
    "wiener": (_by_wiener, "fp64", "NumPy"),
}


def _kernel(sample: Sample) -> Pixels:
    if sample.kernel is None:
        raise ValueError(f"nothing is known of what blurred {sample.name}")
    return sample.kernel


def _networks(file: Path, options: MethodOptions, device: str, threads: int) -> list[Method]:
    """Return a network in ONNX Runtime, as often as there are levels to be told it."""
    on_cuda = choose_device(device).type == "cuda"
    session = OnnxSession(file, threads, on_cuda=on_cuda)
    if not session.takes_level:
        return [_Network(file, session, None)]
    return [_Network(file, session, sigma) for sigma in _told(str(file), options)]


def _told(name: str, options: MethodOptions) -> Sequence[float]:
    if not options.sigmas_8bit:
        raise UsageError(f"{name} needs to be told the noise", hint="with --sigma N, of 255")
    return tuple(dict.fromkeys(options.sigmas_8bit))
