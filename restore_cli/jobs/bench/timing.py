"""Rounds in which everything to be compared runs once, so that a busy minute hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch.nn import functional as F

from restore_cli.engine.device import DTYPES, Precision, has_native_bf16

T = TypeVar("T")

# Sizes at which the libraries come near to what the processor can do; of seven measured on two
# Zen 3 cores the rates were within 10 % of each other.
_CONVOLUTION = {"cpu": (1, 128, 192), "cuda": (4, 256, 256), "mps": (1, 128, 256)}  # n, c, side
_PRODUCT = {"cpu": 1536, "cuda": 8192, "mps": 2048}
_EMULATED = 4  # bf16 on a CPU without it takes a hundred times as long: sides a quarter as long
_CALLS = 3  # in a row, as the first one finds threads asleep and memory returned: a third slower
_GPU_WARM_UPS = 3  # cuDNN chooses its algorithms, clocks go up


@dataclass(frozen=True, slots=True)
class Probe:
    """Arithmetic and nothing else, to know what the machine can do at this moment."""

    kind: Literal["convolution", "product"]
    precision: str
    gflop: float
    run: Callable[[], object]


def probes(device: torch.device, precision: Precision, threads: int) -> tuple[Probe, Probe]:
    """Return a 3×3 convolution and a matrix product in that precision."""
    dtype = DTYPES[precision]
    n, c, side = _CONVOLUTION[device.type]
    order = _PRODUCT[device.type]
    if device.type == "cpu" and precision != "fp32" and not has_native_bf16():
        side, order = side // _EMULATED, order // _EMULATED
    image = torch.rand(n, c, side, side, device=device, dtype=dtype)
    weights = torch.rand(c, c, 3, 3, device=device, dtype=dtype)
    image, weights = (t.to(memory_format=torch.channels_last) for t in (image, weights))
    left, right = (torch.rand(order, order, device=device, dtype=dtype) for _ in range(2))

    def convolve() -> object:
        torch.set_num_threads(threads)
        return [F.conv2d(image, weights, padding=1) for _ in range(_CALLS)]

    def multiply() -> object:
        torch.set_num_threads(threads)
        return [left @ right for _ in range(_CALLS)]

    return (
        Probe("convolution", precision, _CALLS * 2 * 9 * c * c * n * side**2 / 1e9, convolve),
        Probe("product", precision, _CALLS * 2 * order**3 / 1e9, multiply),
    )


def warm_up(run: Callable[[], T], device: torch.device) -> T:
    """Call once for all that only the first call does, on a GPU some times more; return the last.

    Args:
        run: what will be timed.
        device: where it runs.
    """
    result = run()
    for _ in range(0 if device.type == "cpu" else _GPU_WARM_UPS):
        result = run()
    synchronise(device)
    return result


def interleaved(
    runs: Mapping[str, Callable[[], object]],
    repeats: int,
    device: torch.device,
    after_round: Callable[[int], None] = lambda _: None,
) -> dict[str, tuple[float, ...]]:
    """Return the seconds of each run in each round; every other round goes backwards.

    Args:
        runs: what to call, already warm.
        repeats: rounds.
        device: waited for before and after each call.
        after_round: told how many rounds are done.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for done in range(repeats):
        order = list(runs)[:: 1 if done % 2 == 0 else -1]
        for name in order:
            seconds[name].append(_timed(runs[name], device))
        after_round(done + 1)
    return {name: tuple(values) for name, values in seconds.items()}


def _timed(run: Callable[[], object], device: torch.device) -> float:
    synchronise(device)
    start_s = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - start_s


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
