"""Options of ``restore eval``: which methods, on which pictures, and how they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.json_report import JsonObject
from restore_cli.option import Option

Rival = Literal["nlm", "wiener", "richardson-lucy"]


def rival_name(text: str) -> Rival:
    """Return the name of a classical method.

    Raises:
        ValueError: there is no such method.
    """
    if text not in get_args(Rival):
        raise ValueError(f"{text!r} is none of {', '.join(get_args(Rival))}")
    return cast("Rival", text)


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """Says which methods restore the pictures."""

    models: Annotated[
        Sequence[str],
        Option(
            "A model's name or a weights file; may be repeated. Default, if no other method is"
            " named: the model of the task.",
            short="-m",
            name="model",
            metavar="MODEL",
        ),
    ] = ()
    task: Annotated[
        Literal["deblur", "denoise", "derain", "enhance"] | None,
        Option(
            "Task whose default model is measured: deblur, denoise, derain or enhance; default: by"
            " --noise, --kernels or the names of the folders.",
            metavar="TASK",
        ),
    ] = None
    onnx: Annotated[
        Sequence[Path],
        Option("Also measure this network in ONNX Runtime; may be repeated.", metavar="FILE.onnx"),
    ] = ()
    restored: Annotated[
        Sequence[Path],
        Option(
            "Also measure pictures that another program restored, found by their names; may be"
            " repeated.",
            metavar="DIR",
        ),
    ] = ()
    rivals: Annotated[
        Sequence[Rival],
        Option(
            "Also measure a classical method: nlm (OpenCV's non-local means, in 8 bit), wiener or"
            " richardson-lucy (both with the kernel of --kernels); may be repeated.",
            name="rival",
            metavar="NAME",
            parse=rival_name,
        ),
    ] = ()
    sigmas_8bit: Annotated[
        Sequence[float],
        Option(
            "Noise level, of 255, that networks of --onnx and methods of --rival are given; may be"
            " repeated; default: that of --noise.",
            name="sigma",
            metavar="N",
            min=0,
        ),
    ] = ()


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """Says which methods to measure, on which pictures, and how to compare them."""

    data: Annotated[
        Sequence[Path],
        Option(
            "Folder of pairs, or of clean pictures with --noise, --kernels or --clean; may be"
            " repeated.",
            metavar="DIR",
        ),
    ]
    methods: MethodOptions = field(default_factory=MethodOptions)
    noise_sigma_8bit: Annotated[
        float,
        Option(
            "Add Gaussian noise of this level, of 255, to clean pictures; the seed of the first is"
            " 0, of the next 1, and so on.",
            name="noise",
            metavar="SIGMA",
            min=0,
            show_default=False,
        ),
    ] = 0.0
    kernels: Annotated[
        Sequence[Path],
        Option(
            "Blur clean pictures with each .npy kernel, a file or a folder, before any noise; may"
            " be repeated.",
            metavar="PATH",
        ),
    ] = ()
    clean: Annotated[
        bool,
        Option(
            "Restore the clean pictures, to see what they lose. Of pairs, only the clean ones are"
            " used."
        ),
    ] = False
    grey: Annotated[bool, Option("Make colour pictures grey before anything else.")] = False
    luma: Annotated[bool, Option("Compare the luma of colour pictures, as papers on rain do.")] = (
        False
    )
    align: Annotated[
        bool,
        Option(
            "Compare at the best shift within 6 pixels, 15 cut from each side; input and output"
            " apart."
        ),
    ] = False
    limit: Annotated[
        int | None,
        Option("Take the first N pictures of each folder only, by name.", metavar="N", min=1),
    ] = None
    csv: Annotated[
        Path | None,
        Option("Write a line for each picture and method to this file.", metavar="FILE"),
    ] = None
    engine: EngineOptions = field(default_factory=EngineOptions)

    @property
    def protocol(self) -> JsonObject:
        """Return what was asked for, as ``--json`` prints it."""
        return {
            "noise_sigma_8bit": self.noise_sigma_8bit,
            "kernels": [str(path) for path in self.kernels],
            "clean": self.clean,
            "grey": self.grey,
            "luma": self.luma,
            "align": self.align,
            "limit": self.limit,
            "precision": self.engine.precision,
            "tile": self.engine.tile,
            "overlap": self.engine.overlap,
            "pooling": self.engine.pooling,
            "tta": self.engine.tta,
            "strength": self.engine.strength,
        }
