"""Defines ``restore export``: writes a model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

from restore_cli.cli.console import console
from restore_cli.cli.display_options import NoProgress
from restore_cli.errors import UsageError
from restore_cli.jobs.export.options import ExportOptions

EXPORT_EXAMPLES = """
\b
Examples:
  restore export -m mimo-unet-deblur -o deblur.onnx
  restore export -m runs/mprnet/best.safetensors -o fixed.onnx --size 640x480
  restore export -m mimo-unet-deblur -o deblur.onnx && restore bench --against deblur.onnx
"""


def export(*, exporting: ExportOptions, display: NoProgress) -> None:
    """Write a model as an ONNX file, checked against the network before it is kept.

    The file maps images (N, 3, H, W), RGB float32 in [0, 1], to restored ones that are not
    clamped. Needs the extra onnx: pip install 'restore-cli[onnx]'. Exits with 6, and writes
    nothing, if file and network differ by more than 0.001.
    """
    if exporting.output == "-":
        raise UsageError("an ONNX file is not written to a pipe", hint="name a file with -o")

    from restore_cli.jobs.export.run import export_onnx  # torch loads here

    console.info(f"exporting {exporting.model}: seconds to minutes, by the number of its layers")
    report = export_onnx(exporting.model, Path(exporting.output), exporting.size)
    for note in report.notes:
        console.note(note)
    if display.json:
        console.json_object(report.to_dict())
        return
    shape = ", ".join(str(side) for side in report.input_shape)
    console.info(
        f"{report.path}: {report.size_bytes / 2**20:.1f} MiB, opset {report.opset}, takes"
        f" ({shape}); differs from the network by at most {report.max_difference:.1e}"
    )
