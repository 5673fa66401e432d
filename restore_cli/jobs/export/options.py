"""Options of ``restore export``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from restore_cli.option import Option, picture_size


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Says which model to write as an ONNX file, and where."""

    model: Annotated[str, Option("A model's name or a weights file.", short="-m", metavar="MODEL")]
    output: Annotated[str, Option("The file to write.", short="-o", metavar="FILE.onnx")]
    size: Annotated[
        tuple[int, int] | None,
        Option(
            "Let the file take images of this size only; default: any size and number.",
            metavar="WxH",
            parse=picture_size,
        ),
    ] = None
