"""Which device computes, and with how many bits."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal, get_args

import torch

from restore_cli.errors import DeviceError

Precision = Literal["fp32", "fp16", "bf16"]

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}

_CPUINFO = Path("/proc/cpuinfo")
_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is CUDA, else MPS, else the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        DeviceError: unknown, or not in this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"no device is called {name!r}", hint=_DEVICE_HINT) from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"device {name!r} is not supported", hint=_DEVICE_HINT)
    if device.type == "cuda":
        return _cuda(device.index)
    if device.type == "mps" and not _has_mps():
        raise DeviceError("there is no Apple GPU here", hint="use --device cpu")
    return torch.device(device.type)


def choose_precision(device: torch.device, name: str = "auto") -> Precision:
    """Return the precision to compute convolutions in.

    ``auto`` is fp16 on CUDA, bf16 on a CPU with instructions for it, and fp32 anywhere else.

    Raises:
        ValueError: no such precision.
        DeviceError: the device cannot compute in it.
    """
    if name == "auto":
        if device.type == "cuda":
            return "fp16"
        return "bf16" if device.type == "cpu" and has_native_bf16() else "fp32"
    for precision in get_args(Precision):
        if precision == name:
            _refuse_unsupported(device, precision)
            return precision  # type: ignore[no-any-return]
    raise ValueError(f"precision {name!r} is none of auto, {', '.join(get_args(Precision))}")


def autocast(
    device: torch.device, precision: Precision
) -> contextlib.AbstractContextManager[object]:
    """Return the context in which convolutions run in ``precision``.

    Weights and images stay float32, and so does the sum of a network's correction and its input:
    half precision there would round an image to 11 bits, or to 8 in bf16.
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[precision])


def has_native_bf16(cpuinfo: Path = _CPUINFO) -> bool:
    """Return whether this CPU multiplies bfloat16 itself; False where we cannot tell.

    Without such instructions bf16 is emulated and slower than fp32.
    """
    try:
        words = cpuinfo.read_text(encoding="utf-8").split()
    except OSError:
        return False
    return not _BF16_FLAGS.isdisjoint(words)


_DEVICE_HINT = "there is auto, cpu, cuda, cuda:N and mps"


def _cuda(index: int | None) -> torch.device:
    if not torch.cuda.is_available():
        hint = "use --device cpu, or install the CUDA build of PyTorch if there is a GPU"
        raise DeviceError("CUDA is not available", hint=hint)
    count = torch.cuda.device_count()
    index = torch.cuda.current_device() if index is None else index
    if index >= count:
        raise DeviceError(f"there is no GPU {index}", hint=f"there are {count}, counted from 0")
    return torch.device("cuda", index)


def _refuse_unsupported(device: torch.device, precision: Precision) -> None:
    if device.type == "cpu" and precision == "fp16":
        raise DeviceError("the CPU does not compute in fp16", hint="use fp32, bf16 or auto")
    if (
        device.type == "cuda"
        and precision == "bf16"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        raise DeviceError("this GPU does not compute in bf16", hint="use fp16, fp32 or auto")


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
