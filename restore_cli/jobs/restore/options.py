"""Options of the restoring commands, in a group for each part that reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from restore_cli.engine.options import EngineOptions
from restore_cli.imaging.options import EncodingOptions
from restore_cli.option import Option, memory_size, picture_size

MaxMemory = Annotated[
    int | None,
    Option(
        "The most memory to use, such as 800M or 1.5G; TIFFs are restored in parts where they need"
        " more.",
        name="max_memory",
        metavar="SIZE",
        parse=memory_size,
        setting=True,
    ),
]


@dataclass(frozen=True, slots=True)
class RawVideoOptions:
    """Describes raw video, which holds frames and nothing about them."""

    size: Annotated[
        tuple[int, int] | None,
        Option("Width and height of the frames of raw video.", metavar="WxH", parse=picture_size),
    ] = None
    pix_fmt: Annotated[
        str | None,
        Option(
            "How raw video's frames are stored: rgb24, bgr24, gray, rgb48le, yuv420p, …; default:"
            " rgb24.",
            metavar="NAME",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class WritingOptions:
    """Says which files results may replace."""

    overwrite: Annotated[
        bool, Option("Let a derived name (such as photo_deblur.jpg) replace a file.")
    ] = False  # a file that is not the input
    in_place: Annotated[bool, Option("Let the result replace its input.")] = False


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """Says how to restore."""

    task: str = "deblur"  # the command's own
    model: Annotated[
        str | None,
        Option(
            "A model's name or a weights file; default: the best one bundled for this task.",
            short="-m",
            metavar="MODEL",
            setting=True,
        ),
    ] = None
    scale: Annotated[
        int,
        Option(
            "How many times larger each side becomes; best what the model was trained for.",
            metavar="2|3|4",
            min=2,
            max=4,
            setting=True,
        ),
    ] = 1  # before the picture is restored
    engine: EngineOptions = field(default_factory=EngineOptions)
    max_memory_bytes: MaxMemory = None  # for the whole process
    encoding: EncodingOptions = field(default_factory=EncodingOptions)
    raw_video: RawVideoOptions = field(default_factory=RawVideoOptions)
    writing: WritingOptions = field(default_factory=WritingOptions)
    dry_run: Annotated[
        bool, Option("Say what would be done and what it would take, and do nothing.")
    ] = False
