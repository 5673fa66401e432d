"""Weights computed from the name and shape of each state-dict entry, as the fixtures prescribe."""

from __future__ import annotations

import hashlib
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
    state = {}
    for entry in fixture["entries"]:
        if "alias_of" in entry:
            state[entry["key"]] = state[entry["alias_of"]]
        elif entry["kind"] == "buffer":
            state[entry["key"]] = _blur(entry["shape"])
        else:
            state[entry["key"]] = _draw(entry, fixture["fill"])
    return state


def digest(fixture, state):
    """Return the SHA-256 of all drawn numbers, which the fixture names as ``fill_sha256``."""
    sha256 = hashlib.sha256()
    for entry in fixture["entries"]:
        if "alias_of" not in entry and entry["kind"] != "buffer":
            sha256.update(state[entry["key"]].numpy().astype("<f4").tobytes())
    return sha256.hexdigest()


def _draw(entry, fill):
    key = entry["key"]
    rng = np.random.default_rng(zlib.crc32((fill["salt"] + key).encode()))
    values = rng.standard_normal(entry["shape"], dtype=np.float32)
    if entry["kind"] == "bias":
        return torch.from_numpy(values * np.float32(fill["bias_std"]))
    if entry["kind"] == "prelu":
        spread = np.float32(fill["prelu_spread"])
        return torch.from_numpy(np.float32(fill["prelu"]) + spread * values)
    gain = fill["gain"]
    for text, value in fill["gain_if_key_contains"]:
        gain = value if text in key else gain
    return torch.from_numpy(values * np.float32(gain / np.sqrt(entry["fan_in"])))


def _blur(shape):
    taps = torch.tensor([1.0, 2.0, 1.0])
    return (torch.outer(taps, taps) / 16).expand(shape).clone()
