"""Options of the engine: where and how precisely a network computes, and in which tiles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from restore_cli.option import Option

MIN_TILE = 64  # pixels a side

_DEVICE = r"auto|cpu|cuda(:\d+)?|mps"


def device_name(text: str) -> str:
    """Return the name of a device as it is; whether there is one is found out later.

    Raises:
        ValueError: no device has such a name.
    """
    if not re.fullmatch(_DEVICE, text):
        raise ValueError(f"{text!r} is none of auto, cpu, cuda, cuda:N, mps")
    return text


def tile_side(text: str) -> int | Literal["auto"]:
    """Return ``auto``, 0 or the side of a tile in pixels.

    Raises:
        ValueError: the text is neither, or the side is too small.
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal() or 0 < int(text) < MIN_TILE:
        raise ValueError(f"{text!r} is neither auto, nor 0, nor at least {MIN_TILE}")
    return int(text)


def overlap_width(text: str) -> int | Literal["auto"]:
    """Return ``auto`` or a number of pixels.

    Raises:
        ValueError: the text is neither.
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise ValueError(f"{text!r} is neither auto nor a whole number")
    return int(text)


Device = Annotated[
    str,
    Option(
        "Where to compute.",
        short="-d",
        metavar="auto|cpu|cuda|cuda:N|mps",
        parse=device_name,
        setting=True,
    ),
]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Says how a network runs; see :class:`~restore_cli.engine.restorer.Restorer`."""

    device: Device = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "fp16", "bf16"],
        Option(
            "Arithmetic of the network; auto: the device's fastest.",
            metavar="auto|fp32|fp16|bf16",
            setting=True,
        ),
    ] = "auto"
    tile: Annotated[
        int | Literal["auto"],
        Option(
            "Tile side in pixels; auto: fit the memory; 0: whole image.",
            short="-t",
            metavar="auto|N|0",
            parse=tile_side,
            setting=True,
        ),
    ] = "auto"
    overlap: Annotated[
        int | Literal["auto"],
        Option(
            "Pixels of context around a tile; auto: as many as the model was measured to need.",
            metavar="auto|N",
            parse=overlap_width,
            setting=True,
        ),
    ] = "auto"
    pooling: Annotated[
        Literal["auto", "local", "global"],
        Option(
            "Where channel attention (MPRNet, MIRNet) takes its means; local: over windows as large"
            " as its training patches; global: over the whole image or tile; auto: local.",
            metavar="auto|local|global",
            setting=True,
        ),
    ] = "auto"
    tta: Annotated[
        bool,
        Option(
            "Average over eight flips and turns: a little better, eight times slower.", setting=True
        ),
    ] = False
    strength: Annotated[
        float,
        Option("How much of the correction to apply.", metavar="X", min=0.0, max=1.0, setting=True),
    ] = 1.0


class EngineKeywords(TypedDict, total=False):
    """The fields of :class:`EngineOptions` as keyword arguments."""

    device: str
    precision: Literal["auto", "fp32", "fp16", "bf16"]
    tile: int | Literal["auto"]
    overlap: int | Literal["auto"]
    pooling: Literal["auto", "local", "global"]
    tta: bool
    strength: float
