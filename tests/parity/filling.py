"""Weights computed from the name and shape of each state-dict entry, as the fixtures prescribe."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch

FIXTURES = Path(__file__).parent / "fixtures"


def description(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def arrays(name):
    with np.load(FIXTURES / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def filled(fixture):
    """Return the published state dict with the fixture's numbers."""
    return {entry["key"]: _draw(entry, fixture["fill"]) for entry in fixture["entries"]}


def _draw(entry, fill):
    key = entry["key"]
    rng = np.random.default_rng(zlib.crc32((fill["salt"] + key).encode()))
    values = rng.standard_normal(entry["shape"], dtype=np.float32)
    if entry["kind"] == "bias":
        return torch.from_numpy(values * np.float32(fill["bias_std"]))
    gain = fill["gain"]
    for text, value in fill["gain_if_key_contains"]:
        gain = value if text in key else gain
    return torch.from_numpy(values * np.float32(gain / np.sqrt(entry["fan_in"])))
