"""The protocol of all kinds of work: a whole image, a TIFF in strips, a video.

A job opens an input (:mod:`restore_cli.jobs.restore.opening` picks the kind), loads it, plans it
with a method, then predicts what it will take or restores it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from restore_cli.imaging.image import Image
from restore_cli.jobs.restore.memory_budget import Budget
from restore_cli.jobs.restore.targets import Target
from restore_cli.methods.method import Method

Notes = tuple[str, ...]


class Input(Protocol):
    """One file or stream to read."""

    @property
    def name(self) -> str:
        """Its path or URL; ``-`` is standard input."""

    @property
    def path(self) -> str | None:
        """Its path, if it is a file on a disk of this machine."""

    @property
    def taken_for(self) -> Literal["image", "video"] | None:
        """What a batch took it for by its name; None: its content decides."""

    def decode(self) -> Image:
        """Decode it as an image.

        Raises:
            ImageError: it cannot be read or decoded.
        """

    def release(self) -> None:
        """Free the bytes that were read."""


class Output(Protocol):
    """Where the result of one input is written."""

    def write(self, data: bytes) -> None:
        """Write the whole result at once.

        Raises:
            ImageError: it cannot be written.
        """

    def part_by_part(self) -> AbstractContextManager[str]:
        """Give a path to write the result to; ``-`` is standard output.

        Raises:
            ImageError: it cannot be written.
        """


@dataclass(frozen=True, slots=True)
class Facts:
    """Describes a result."""

    width: int
    height: int
    channels: int  # of colour; alpha is not counted
    depth: str
    frames: int | None = None  # of a video, if known
    in_parts: bool = False  # from disk to disk, never as a whole in memory


@dataclass(frozen=True, slots=True)
class Step:
    """How far the work on one input is."""

    unit: Literal["tiles", "frames"]
    done: int
    total: int  # 0: not known
    per_s: float = 0.0  # frames a second


OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What restoring an input will take."""

    tiles: str  # "12 of 512x512"
    seconds: float | None  # without loading the model; None: nobody knows how many frames there are
    peak_bytes: int  # of the process


class Restored(Protocol):
    """What was made of an input."""

    @property
    def facts(self) -> Facts:
        """Size, channels and depth of the result."""

    def store(self, output: Output) -> Notes:
        """Write what is not written yet; return what the user should know.

        Raises:
            ImageError: it cannot be encoded or written.
        """


class PlannedWork(Protocol):
    """Work with its tiles and memory decided."""

    @property
    def facts(self) -> Facts:
        """Size, channels and depth of the result."""

    @property
    def notes(self) -> Notes:
        """What is known by now that the user should know."""

    def predict(self) -> Prediction:
        """Predict seconds and memory; may time a few tiles."""

    def restore(self, output: Output, on_step: OnStep) -> Restored:
        """Run the method; what is not written part by part is written by ``Restored.store``.

        Raises:
            ImageError: the input is damaged further down, or there is nowhere to write.
            ResultError: the restored pixels cannot be right.
            DeviceError: there is not enough memory.
        """


class Work(Protocol):
    """One input, from opening it to its result."""

    @property
    def target(self) -> Target:
        """Where the result goes; after ``load`` with a suffix that fits."""

    def room_bytes(self, limit_bytes: int | None) -> int:
        """Return the memory that it takes from loading until it is stored.

        Args:
            limit_bytes: of the process; with a limit, decoding and encoding count, too.
        """

    def load(self, budget: Budget) -> None:
        """Read what is needed, and check all that can be checked before the method works.

        Raises:
            ImageError: it cannot be read, or its result not be written.
            UsageError: the format of the result does not hold what is asked for.
            DeviceError: it takes more memory than there may be.
        """

    def plan(self, method: Method, budget: Budget) -> PlannedWork:
        """Decide tiles and memory.

        Raises:
            DeviceError: there is too little memory for any tile.
        """

    def close(self) -> None:
        """Close what is open; may be called twice."""
