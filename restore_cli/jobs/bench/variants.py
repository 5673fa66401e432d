"""The ways to compute a picture that are timed against each other.

A variant is small and picklable, so that it can be sent to a process of its own; ``load`` gives
what runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch

from models.registry import size_rule
from restore_cli.engine.channels import Pixels, to_pixels, to_tensor
from restore_cli.engine.device import choose_device
from restore_cli.engine.loading import Pooling
from restore_cli.engine.padding import crop_like, pad_to_multiple
from restore_cli.engine.restorer import Restorer
from restore_cli.jobs.bench.report import PLAIN, RESTORE
from restore_cli.methods.onnx_session import OnnxSession
from restore_cli.weights.files import load_model

# What sides are padded to for a network that does not say; most halve their picture three times.
_RIVALS_MULTIPLE = 8


class Runner(Protocol):
    """A loaded variant: (H, W, 3) pixels in, the same out."""

    @property
    def precision(self) -> str:
        """Return what most of the arithmetic is done in; may be decided by the first call."""

    @property
    def backend(self) -> str:
        """Return by what it is done, where there is a choice."""

    def __call__(self, pixels: Pixels) -> Pixels:
        """Restore a picture."""


class Variant(Protocol):
    """How to compute a picture."""

    @property
    def name(self) -> str:
        """Return what it is called in the report."""

    def load(self, threads: int) -> Runner:
        """Load network and program, to work with so many threads."""


@dataclass(frozen=True, slots=True)
class Plain:
    """What a user of published code waits for.

    The network's own forward over the whole picture, eager, fp32, channels first, with all of
    torch's threads.
    """

    weights: Path
    device: str
    name: str = PLAIN

    def load(self, threads: int) -> Runner:
        return _PlainRunner(self.weights, choose_device(self.device), threads)


@dataclass(frozen=True, slots=True)
class Engine:
    """What a user of this program waits for."""

    weights: Path
    device: str
    precision: Literal["auto", "fp32", "fp16", "bf16"]
    tile: int | Literal["auto"]
    pooling: Pooling
    name: str = RESTORE

    def load(self, threads: int) -> Runner:
        return _EngineRunner(
            Restorer(
                self.weights,
                device=self.device,
                precision=self.precision,
                tile=self.tile,
                pooling=self.pooling,
            )
        )


@dataclass(frozen=True, slots=True)
class Rival:
    """Another network, an ONNX file in ONNX Runtime."""

    file: Path
    device: str
    sigma_8bit: float  # for networks that are told the noise

    @property
    def name(self) -> str:
        return str(self.file)

    def load(self, threads: int) -> Runner:
        on_cuda = choose_device(self.device).type == "cuda"
        return OnnxRunner(OnnxSession(self.file, threads, on_cuda=on_cuda), self.sigma_8bit)


class _PlainRunner:
    precision = "fp32"
    backend = "eager"

    def __init__(self, weights: Path, device: torch.device, threads: int) -> None:
        network, card = load_model(weights)
        self._network = network.to(device)
        self._multiple_of = size_rule(card.architecture, card.config)
        self._device = device
        self._threads = threads

    @torch.no_grad()
    def __call__(self, pixels: Pixels) -> Pixels:
        # The engine may have given each of its workers one thread.
        torch.set_num_threads(self._threads)
        image = to_tensor(pixels).contiguous()
        padded = pad_to_multiple(image, self._multiple_of).to(self._device)
        stages = self._network(padded)
        return to_pixels(crop_like(stages[0], image), channels=3)


class _EngineRunner:
    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer

    @property
    def precision(self) -> str:
        return self._restorer.precision

    @property
    def backend(self) -> str:
        return str(getattr(self._restorer, "backend", ""))

    def __call__(self, pixels: Pixels) -> Pixels:
        return self._restorer(pixels)


class OnnxRunner:
    """A network in ONNX Runtime over the whole picture, padded to sides that it takes.

    Attributes:
        multiple_of: what sides are padded to.
    """

    precision = ""  # the file's own

    def __init__(self, session: OnnxSession, sigma_8bit: float) -> None:
        self._session = session
        self._sigma_8bit = sigma_8bit
        self.multiple_of = session.multiple_of or _RIVALS_MULTIPLE

    @property
    def backend(self) -> str:
        return self._session.provider

    def __call__(self, pixels: Pixels) -> Pixels:
        image = to_tensor(pixels).contiguous()
        padded = pad_to_multiple(image, self.multiple_of)
        restored = torch.from_numpy(self._session.run(padded.numpy(), self._sigma_8bit))
        return to_pixels(crop_like(restored, image), pixels.shape[2])
