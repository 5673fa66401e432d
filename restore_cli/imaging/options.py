"""Options of the encoders: what a result is stored as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from restore_cli.option import Option


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """Says how results are stored; the defaults keep what the input has."""

    format: Annotated[
        str | None,
        Option(
            "Output format; default: by OUT's suffix, else the input's.",
            metavar="FORMAT",
            setting=True,
        ),
    ] = None
    quality: Annotated[
        int | None,
        Option(
            "Quality of lossy formats; default: about the input's.",
            metavar="N",
            min=1,
            max=100,
            setting=True,
        ),
    ] = None
    bit_depth: Annotated[
        Literal[8, 16, 32] | None,
        Option("Bits a channel, 32: float; default: the input's.", metavar="8|16|32", setting=True),
    ] = None
    strip_metadata: Annotated[bool, Option("Write no EXIF, XMP or ICC profile.", setting=True)] = (
        False
    )
