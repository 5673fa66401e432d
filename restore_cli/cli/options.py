"""Options that several commands share, as ``Annotated`` aliases.

Each can be set as ``RESTORE_<OPTION>`` too, but for those that decide what is replaced.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import typer

from restore_cli.cli.console import console

SETTINGS_HELP = (
    "Options may also be set as RESTORE_<OPTION> in the environment, in ./restore.toml"
    " or in the user's restore/config.toml, in this order."
)

PrecisionName = Literal["auto", "fp32", "fp16", "bf16"]
PoolingName = Literal["auto", "local", "global"]
ProgressKind = Literal["auto", "bar", "plain", "json", "none"]
BitDepth = Literal["8", "16", "32"]

MIN_TILE = 64  # as in engine/restorer.py, which would load torch

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|mps")

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])?i?B?", re.IGNORECASE)
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})", re.IGNORECASE)


def auto_or_number(text: str) -> str:
    """Accept ``auto`` or a whole number from 0."""
    if text != "auto" and not text.isdecimal():
        raise typer.BadParameter(f"{text!r} is neither auto nor a whole number")
    return text


def tile_side(text: str) -> str:
    """Accept ``auto``, 0 or a side the engine can work with."""
    if text not in ("auto", "0") and not (text.isdecimal() and int(text) >= MIN_TILE):
        raise typer.BadParameter(f"{text!r} is neither auto, nor 0, nor at least {MIN_TILE}")
    return text


def number_or_auto(text: str) -> int | Literal["auto"]:
    """Return what an accepted ``auto|N`` means."""
    return "auto" if text == "auto" else int(text)


def picture_size(text: str) -> tuple[int, int]:
    """Return width and height of ``WxH``."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size such as 1280x720")
    return int(match[1]), int(match[2])


def picture_sizes(texts: list[str] | None) -> list[str] | None:
    """Accept what :func:`picture_size` understands."""
    for text in texts or ():
        picture_size(text)
    return texts


def memory_size(text: str | None) -> str | None:
    """Accept a size that :func:`memory_bytes` understands."""
    if text is not None and not memory_bytes(text):
        raise typer.BadParameter(f"{text!r} is no size such as 800M or 1.5G")
    return text


def memory_bytes(text: str) -> int:
    """Return a size such as ``800M``, ``1.5G`` or ``2GiB`` in bytes; 0 for none.

    A letter counts in powers of 1024, as systems count memory; a number alone is in bytes.
    """
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        return 0
    power = "KMGT".index(match[2].upper()) + 1 if match[2] else 0
    return int(float(match[1]) * 1024**power)


def optional_picture_size(text: str | None) -> str | None:
    """Accept nothing, or what :func:`picture_size` understands."""
    if text is not None:
        picture_size(text)
    return text


def known_device(text: str) -> str:
    """Accept the names of devices; whether there is one is the engine's to say."""
    if not _DEVICE.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is none of auto, cpu, cuda, cuda:N, mps")
    return text


def _keep_quiet(value: bool) -> bool:
    console.quiet = value
    return value


def _keep_verbose(value: bool) -> bool:
    console.verbose = value
    return value


def _keep_debug(value: bool) -> bool:
    console.debug = console.debug or value
    return value


def keep_json(value: bool) -> bool:
    """Have results printed as JSON; for options that say so in words of their own."""
    console.json = value
    return value


def _keep_progress(value: ProgressKind) -> ProgressKind:
    console.progress = value
    return value


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Images and videos; - is standard input (image, Y4M, raw).",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A file, a folder (DIR/) or - for standard output.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A model's name or a weights file; default: the best one bundled for this task.",
        envvar="RESTORE_MODEL",
        show_envvar=False,
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        "-d",
        metavar="auto|cpu|cuda|cuda:N|mps",
        help="Where to compute.",
        callback=known_device,
        envvar="RESTORE_DEVICE",
        show_envvar=False,
    ),
]
Precision = Annotated[
    PrecisionName,
    typer.Option(
        "--precision",
        metavar="auto|fp32|fp16|bf16",
        help="Arithmetic of the network; auto: the device's fastest.",
        envvar="RESTORE_PRECISION",
        show_envvar=False,
    ),
]
Tile = Annotated[
    str,
    typer.Option(
        "--tile",
        "-t",
        metavar="auto|N|0",
        help="Tile side in pixels; auto: fit the memory; 0: whole image.",
        callback=tile_side,
        envvar="RESTORE_TILE",
        show_envvar=False,
    ),
]
Overlap = Annotated[
    str,
    typer.Option(
        "--overlap",
        metavar="auto|N",
        help="Pixels of context around a tile; auto: what its weights were measured to need.",
        callback=auto_or_number,
        envvar="RESTORE_OVERLAP",
        show_envvar=False,
    ),
]
Pooling = Annotated[
    PoolingName,
    typer.Option(
        "--pooling",
        metavar="auto|local|global",
        help="Where channel attention (MPRNet, MIRNet) takes its means: local: over windows of"
        " its training patches' size; global: over the whole image or tile; auto: local.",
        envvar="RESTORE_POOLING",
        show_envvar=False,
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="The most memory to use, such as 800M or 1.5G; TIFFs are restored in parts where"
        " they need more.",
        callback=memory_size,
        envvar="RESTORE_MAX_MEMORY",
        show_envvar=False,
        show_default=False,
    ),
]
Scale = Annotated[
    int,
    typer.Option(
        "--scale",
        metavar="2|3|4",
        min=2,
        max=4,
        help="How many times larger each side becomes; best what the model was trained for.",
        envvar="RESTORE_SCALE",
        show_envvar=False,
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Average over eight flips and turns: a little better, eight times slower.",
        envvar="RESTORE_TTA",
        show_envvar=False,
    ),
]
Strength = Annotated[
    float,
    typer.Option(
        "--strength",
        metavar="X",
        min=0.0,
        max=1.0,
        help="How much of the correction to apply.",
        envvar="RESTORE_STRENGTH",
        show_envvar=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Output format; default: by OUT's suffix, else the input's.",
        envvar="RESTORE_FORMAT",
        show_envvar=False,
        show_default=False,
    ),
]
FrameSize = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="WxH",
        help="Of the frames of raw video, which do not tell it.",
        callback=optional_picture_size,
        show_default=False,
    ),
]
PixFmt = Annotated[
    str | None,
    typer.Option(
        "--pix-fmt",
        metavar="NAME",
        help="How raw video's frames are stored: rgb24, bgr24, gray, rgb48le, yuv420p, …; default:"
        " rgb24.",
        show_default=False,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        metavar="N",
        min=1,
        max=100,
        help="Quality of lossy formats; default: about the input's.",
        envvar="RESTORE_QUALITY",
        show_envvar=False,
        show_default=False,
    ),
]
Depth = Annotated[
    BitDepth | None,
    typer.Option(
        "--bit-depth",
        metavar="8|16|32",
        help="Bits a channel, 32: float; default: the input's.",
        envvar="RESTORE_BIT_DEPTH",
        show_envvar=False,
        show_default=False,
    ),
]
StripMetadata = Annotated[
    bool,
    typer.Option(
        "--strip-metadata",
        help="Write no EXIF, XMP or ICC profile.",
        envvar="RESTORE_STRIP_METADATA",
        show_envvar=False,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Let a derived name (such as photo_deblur.jpg) replace a file.",
    ),
]
InPlace = Annotated[
    bool,
    typer.Option("--in-place", help="Let the result replace its input."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be done and what it would take, and do nothing."
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the report as JSON; to stderr if stdout takes the image.",
        callback=keep_json,
        is_eager=True,
    ),
]
JsonData = Annotated[
    bool,
    typer.Option("--json", help="Print JSON.", callback=keep_json, is_eager=True),
]
Progress = Annotated[
    ProgressKind,
    typer.Option(
        "--progress",
        metavar="auto|bar|plain|json|none",
        help="How to show progress, on stderr.",
        callback=_keep_progress,
        envvar="RESTORE_PROGRESS",
        show_envvar=False,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print errors only.",
        callback=_keep_quiet,
        is_eager=True,
        envvar="RESTORE_QUIET",
        show_envvar=False,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print more: model, device, warnings of libraries.",
        callback=_keep_verbose,
        is_eager=True,
        envvar="RESTORE_VERBOSE",
        show_envvar=False,
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show the traceback of an error.",
        callback=_keep_debug,
        is_eager=True,
        envvar="RESTORE_DEBUG",
        show_envvar=False,
    ),
]
