"""Examines the machine: packages, devices, codecs, models, folders."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from restore_cli import __version__
from restore_cli.errors import DeviceError, ImageError, RestoreError, WeightsError
from restore_cli.jobs.doctor.report import DoctorReport, Finding
from restore_cli.weights.card import ModelCard
from restore_cli.weights.catalog import BUNDLED
from restore_cli.weights.header import SUFFIX, content_sha256, parse_header, read_card
from restore_cli.weights.store import cache_dir, cached_files

# Distribution → the exit code of the program without it.
PACKAGES = {
    "torch": DeviceError.exit_code,
    "safetensors": WeightsError.exit_code,
    "numpy": ImageError.exit_code,
    "opencv-python-headless": ImageError.exit_code,
    "tifffile": ImageError.exit_code,
    "imagecodecs": ImageError.exit_code,
    "imageio": ImageError.exit_code,
    "typer": 1,
    "rich": 1,
}

# Importable name → extra that brings it, what it is for.
EXTRAS = {
    "av": ("video", "video files"),
    "pi_heif": ("heic", "HEIC photos"),
    "onnxruntime": ("onnx", "export and for rivals in bench"),
    "matplotlib": ("curves", "a picture of a training run's curves"),
    "tensorboard": ("curves", "curves of training runs as they go"),
}

# A flat grey comes back nearly as it was, even from a lossy codec.
MAX_CODEC_ERROR = 0.02


def examine(settings_files: Sequence[str] = ()) -> DoctorReport:
    """Return what works and what does not; nothing that fails here stops the rest.

    Args:
        settings_files: where defaults may be set, to be reported.
    """
    findings: list[Finding] = []
    for topic, look in _CHECKS.items():
        try:
            findings += look()
        except (ImportError, OSError, RuntimeError, RestoreError) as error:
            code = error.exit_code if isinstance(error, RestoreError) else DeviceError.exit_code
            findings.append(Finding(topic, topic, "bad", str(error), exit_code=code))
    for path in settings_files:
        findings.append(Finding("settings", path, "ok", "found" if Path(path).exists() else "none"))
    return DoctorReport(tuple(findings))


def _program() -> Iterator[Finding]:
    yield Finding("program", "restore", "ok", __version__)
    yield Finding("program", "python", "ok", f"{platform.python_version()} {platform.platform()}")


def _packages() -> Iterator[Finding]:
    for name, code in PACKAGES.items():
        try:
            yield Finding("packages", name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            advice = f"pip install {name}"
            yield Finding("packages", name, "bad", "not installed", advice, exit_code=code)
    for module, (extra, purpose) in EXTRAS.items():
        if importlib.util.find_spec(module):
            yield Finding("packages", module, "ok", f"for {purpose}")
        else:
            advice = f"pip install 'restore-cli[{extra}]' for {purpose}"
            yield Finding("packages", module, "missing", "optional", advice)


def _devices() -> Iterator[Finding]:
    import torch

    threads = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    yield Finding("devices", "cpu", "ok", f"{threads}, precisions {_precisions('cpu')}")
    yield from _kernels()
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = f"{properties.total_memory / 2**30:.1f} GiB"
        detail = f"{properties.name}, {memory}, precisions {_precisions('cuda')}"
        yield Finding("devices", f"cuda:{index}", "ok", detail)
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"no GPU that CUDA {built} can use" if built else "this torch is built without CUDA"
        advice = "" if built else "for an NVIDIA GPU install torch as https://pytorch.org says"
        yield Finding("devices", "cuda", "missing", why, advice)
    if torch.backends.mps.is_available():
        yield Finding("devices", "mps", "ok", f"precisions {_precisions('mps')}")


def _kernels() -> Iterator[Finding]:
    from restore_cli.engine.kernels import amx, winograd, winograd_bf16

    advice = "install a C++ compiler, then this package again: about twice as fast in fp32"
    if winograd.is_available():
        what = "fp32 and bf16, AVX-512" if winograd_bf16.is_available() else "fp32, AVX2"
        yield Finding("devices", "compiled kernels", "ok", f"Winograd convolutions in {what}")
    elif winograd.LIBRARY.exists():
        why = "switched off, or this processor lacks AVX2"
        yield Finding("devices", "compiled kernels", "missing", why)
    else:
        yield Finding("devices", "compiled kernels", "missing", "not built", advice)
    if amx.is_available():
        yield Finding("devices", "AMX kernels", "ok", "convolutions in bf16")
    elif not amx.LIBRARY.exists():
        yield Finding("devices", "AMX kernels", "missing", "not built; of use with AMX only")
    else:
        yield Finding("devices", "AMX kernels", "missing", "switched off, or no AMX here")


def _precisions(device: str) -> str:
    import torch

    from restore_cli.engine.device import DTYPES, choose_precision

    usable = []
    for name in DTYPES:
        try:
            usable.append(choose_precision(torch.device(device), name))
        except DeviceError:
            continue
    best = choose_precision(torch.device(device))
    return f"{', '.join(usable)} (auto: {best})"


def _codecs() -> Iterator[Finding]:
    import numpy as np

    from restore_cli.imaging.formats import FORMATS
    from restore_cli.imaging.image import Image
    from restore_cli.imaging.reading import decode_image
    from restore_cli.imaging.writing import encode_image

    picture = Image(np.full((64, 64, 3), 0.5, np.float32))
    for name in (name for name, row in FORMATS.items() if row.encode is not None):
        try:
            decoded = decode_image(encode_image(picture, format=name))
        except ImageError as error:
            advice = "pip install --force-reinstall opencv-python-headless tifffile imagecodecs"
            yield Finding("codecs", name, "bad", error.what, advice, ImageError.exit_code)
            continue
        off = float(np.abs(decoded.pixels - picture.pixels).max())
        if decoded.pixels.shape == picture.pixels.shape and off < MAX_CODEC_ERROR:
            yield Finding("codecs", name, "ok")
        else:
            yield Finding("codecs", name, "bad", "a grey square came back different", "", 3)


def _models() -> Iterator[Finding]:
    paths = [*sorted(BUNDLED.glob(f"*{SUFFIX}")), *cached_files()]
    for path in paths:
        try:
            card = read_card(path)
            yield _checksum(path, card)
        except (WeightsError, OSError) as error:
            yield Finding("models", path.stem, "bad", str(error), "install the file again", 4)
    if not paths:
        advice = "reinstall this package, or name a weights file with --model"
        yield Finding("models", "bundled", "bad", "no model is bundled", advice, 4)


def _checksum(path: Path, card: ModelCard) -> Finding:
    data = path.read_bytes()
    header = parse_header(io.BytesIO(data), len(data), path)
    if content_sha256(data, header) != card.sha256:
        return Finding("models", card.name, "bad", "wrong checksum", "install the file again", 4)
    return Finding("models", card.name, "ok", f"{card.task}, sha256 {card.sha256[:12]}")


def _folders() -> Iterator[Finding]:
    folder = cache_dir()
    files = len(cached_files())
    yield Finding("folders", "weights cache", "ok", f"{folder} ({files} files)")


_CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "program": _program,
    "packages": _packages,
    "devices": _devices,
    "codecs": _codecs,
    "models": _models,
    "folders": _folders,
}
