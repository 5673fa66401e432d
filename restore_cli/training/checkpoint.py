"""The state of a training run on disk: written whole or not at all, read back exactly."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from restore_cli.atomic import replacing
from restore_cli.errors import WeightsError


@dataclass(slots=True)
class Progress:
    """What a run has done so far; travels in the checkpoint."""

    step: int = 0  # steps taken
    # Of the whole run, as settled when it began: a folder that has grown since changes nothing.
    steps: int = 0
    patches: int = 0
    elapsed_s: float = 0.0  # spent in the loop, all sessions together
    best_psnr_db: float = float("-inf")
    skipped: int = 0  # steps whose loss or gradient was not finite
    history: list[dict[str, float]] = field(default_factory=list)  # one row a validation


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside the old one, then take its place.

    Args:
        path: where it belongs.
        state: tensors and plain values only; other objects could not be read back safely.

    Raises:
        WeightsError: it cannot be written; the old one is still there.
    """
    state = {**state, "rng": _random_state()}
    with replacing(path, WeightsError) as file:
        torch.save(state, file)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint and put the random generators back to where they were.

    Raises:
        WeightsError: the file is damaged or is no checkpoint of this program.
    """
    # One of several processes on CPUs has a number, which torch.load takes for GPUs only.
    place = torch.device("cpu") if device.type == "cpu" else device
    try:
        state: dict[str, Any] = torch.load(path, map_location=place, weights_only=True)
        _set_random_state(state.pop("rng"))
    except (pickle.UnpicklingError, RuntimeError, KeyError, EOFError) as error:
        raise WeightsError(
            "cannot be resumed: damaged, or no checkpoint of this program",
            path=path,
            hint="delete it to start over",
        ) from error
    return state


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a foreign state dict: a safetensors file, or one that torch saved.

    Raises:
        WeightsError: it cannot be read, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, SafetensorError) as error:
        raise WeightsError("cannot be read as a table of weights", path=path) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError("holds no table of weights", path=path)
    return state


def _random_state() -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_random_state(state: dict[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
