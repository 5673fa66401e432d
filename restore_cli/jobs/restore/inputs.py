"""Reads the inputs of the restoring commands: files and standard input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from restore_cli.imaging.image import Image
from restore_cli.imaging.pipes import read_stdin
from restore_cli.imaging.reading import decode_image, read_image
from restore_cli.jobs.restore.targets import STREAM, check_source
from restore_cli.jobs.restore.work import Input


def open_input(source: str) -> Input:
    """Return what reads a file, or with ``-`` standard input.

    Raises:
        ImageError: there is no such file.
    """
    if source == STREAM:
        return StandardInput()
    check_source(source)
    return LocalFile(source)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on a disk."""

    path: str
    taken_for: Literal["image", "video"] | None = None

    @property
    def name(self) -> str:
        return self.path

    def decode(self) -> Image:
        return read_image(self.path)

    def release(self) -> None:
        """Do nothing: no bytes are kept."""


@dataclass(frozen=True, slots=True)
class StandardInput:
    """Standard input, which can be read once."""

    name: str = STREAM
    path: str | None = None
    taken_for: Literal["image", "video"] | None = None

    def decode(self) -> Image:
        return decode_image(read_stdin())

    def release(self) -> None:
        """Do nothing: no bytes are kept."""
