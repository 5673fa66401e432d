"""``restore export``: a model as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console
from restore_cli.errors import UsageError

EXPORT_EXAMPLES = """
\b
Examples:
  restore export -m mimo-unet-deblur -o deblur.onnx
  restore export -m runs/mprnet/best.safetensors -o fixed.onnx --size 640x480
  restore export -m mimo-unet-deblur -o deblur.onnx && restore bench --against deblur.onnx
"""


def export(
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="MODEL", help="A model's name or a weights file."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.onnx", help="The file to write.")
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="WxH",
            help="Let the file take images of this size only; default: any size and number.",
            callback=options.optional_picture_size,
            show_default=False,
        ),
    ] = None,
    json: options.JsonData = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Write a model as an ONNX file, checked against the network before it is kept.

    The file maps images (N, 3, H, W), RGB float32 in [0, 1], to restored ones that are not
    clamped. Needs the extra onnx: pip install 'restore-cli[onnx]'. Exits with 6, and writes
    nothing, if file and network differ by more than 0.001.
    """
    if output == "-":
        raise UsageError("an ONNX file is not written to a pipe", hint="name a file with -o")

    from restore_cli.jobs.export.run import export_onnx  # torch loads here

    console.info(f"exporting {model}: seconds to minutes, by the number of its layers")
    wanted = None if size is None else options.picture_size(size)
    report = export_onnx(model, Path(output), wanted)
    for note in report.notes:
        console.note(note)
    if json:
        console.json_object(report.to_dict())
        return
    shape = ", ".join(str(side) for side in report.input_shape)
    console.info(
        f"{report.path}: {report.size_bytes / 2**20:.1f} MiB, opset {report.opset}, takes"
        f" ({shape}); differs from the network by at most {report.max_difference:.1e}"
    )
