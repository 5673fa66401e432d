"""Options of ``restore bench``: what is timed, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.restore.options import MaxMemory
from restore_cli.option import Changed, Option, picture_size


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Says what to time, and how."""

    models: Annotated[
        Sequence[str],
        Option(
            "A model's name, a weights file, or a published size such as mimo-unet, mprnet,"
            " mirnet, which gets random weights; may be repeated.",
            short="-m",
            name="model",
            metavar="MODEL",
        ),
    ] = ()  # none: the default for deblurring
    sizes: Annotated[
        Sequence[tuple[int, int]],
        Option(
            "Size of the picture, 512x512 if none is given; may be repeated.",
            name="size",
            metavar="WxH",
            parse=picture_size,
        ),
    ] = ((512, 512),)
    repeats: Annotated[
        int, Option("Rounds; figures are medians over them.", metavar="N", min=1)
    ] = 5
    against: Annotated[
        Sequence[Path],
        Option("Also time this network in ONNX Runtime; may be repeated.", metavar="FILE.onnx"),
    ] = ()
    sigma_8bit: Annotated[
        float,
        Option(
            "Noise level, of 255, that networks of --against are given.",
            name="sigma",
            metavar="N",
            min=0,
        ),
    ] = 25.0
    memory: Annotated[bool, Option("Also measure peak memory, each in its own process.")] = (
        True  # one more call of each variant
    )
    max_memory_bytes: MaxMemory = None  # for the whole process; read by predictions only
    engine: Annotated[EngineOptions, Changed(overlap=None, tta=None, strength=None)] = field(
        default_factory=EngineOptions
    )
