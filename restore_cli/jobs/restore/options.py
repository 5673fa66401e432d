"""Options of the restoring commands, in groups that go to whom they concern."""

from __future__ import annotations

from dataclasses import dataclass, field

from restore_cli.engine.options import EngineOptions
from restore_cli.imaging.options import EncodingOptions


@dataclass(frozen=True, slots=True)
class RawVideoOptions:
    """Describes raw video, which does not describe itself."""

    size: tuple[int, int] | None = None  # width and height of a frame
    pix_fmt: str | None = None  # how its pixels are stored


@dataclass(frozen=True, slots=True)
class WritingOptions:
    """Says which files results may replace."""

    overwrite: bool = False  # files that are no input, by a derived name
    in_place: bool = False  # the input


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """Says how to restore; the defaults are the command line's."""

    task: str = "deblur"
    model: str | None = None  # a name or a weights file; None: the task's best
    scale: int = 1  # how many times larger each side becomes before it is restored
    max_memory_bytes: int | None = None  # for the whole process
    dry_run: bool = False
    engine: EngineOptions = field(default_factory=EngineOptions)
    encoding: EncodingOptions = field(default_factory=EncodingOptions)
    raw_video: RawVideoOptions = field(default_factory=RawVideoOptions)
    writing: WritingOptions = field(default_factory=WritingOptions)
