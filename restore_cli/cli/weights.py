"""Defines the commands of ``restore weights``: import, export, download, check and list."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore_cli.cli.console import console
from restore_cli.cli.display_options import DebugOnly, JsonDebug, JsonQuietDebug
from restore_cli.cli.option_groups import with_groups
from restore_cli.cli.weights_import import IMPORT_EXAMPLES, import_weights
from restore_cli.errors import RestoreError, UsageError, WeightsError
from restore_cli.jobs.json_report import JsonObject, error_to_dict
from restore_cli.option import Option

if TYPE_CHECKING:
    from restore_cli.weights.inventory import Held

EXPORT_EXAMPLES = """
\b
Examples:
  restore weights export --official mimo-unet-deblur -o MIMO-UNet.pkl
  restore weights export --official mine.safetensors -o model_deblurring.pth
"""

FETCH_EXAMPLES = """
\b
Examples:
  restore weights fetch https://example.org/model.pth --sha256 9f86d081...
  RESTORE_MIRROR=https://mirror.lan/weights restore weights fetch night --sha256 9f86d081...
"""

VERIFY_EXAMPLES = """
\b
Examples:
  restore weights verify
  restore weights verify mimo-unet-deblur mine.safetensors
"""

PATH_EXAMPLES = """
\b
Examples:
  restore weights path mimo-unet-deblur
  cp "$(restore weights path mimo)" /media/stick/
"""

LIST_EXAMPLES = """
\b
Examples:
  restore weights list
  restore weights list --json | jq '.weights[].path'
"""

_PROGRESS_INTERVAL_S = 5.0
_MIB = 1 << 20

weights_app = typer.Typer(
    no_args_is_help=True, help="Import, export, download, check and list weights."
)

weights_app.command("import", epilog=IMPORT_EXAMPLES)(with_groups(import_weights))


@weights_app.command("export", epilog=EXPORT_EXAMPLES)
@with_groups
def export_weights(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model's name or a weights file.")
    ],
    *,
    output: Annotated[
        Path, Option("The file to write; replaced if it exists.", short="-o", metavar="FILE")
    ],
    official: Annotated[bool, Option("Use the layout of the published checkpoints.")] = False,
    display: JsonQuietDebug,
) -> None:
    """Write a model in a file that its authors' own programs can read.

    PSS-NSC becomes a TensorFlow checkpoint, FILE.index and FILE.data-00000-of-00001. The others
    become PyTorch files. Prints the names of the files.
    """
    if not official:
        raise UsageError("no layout is named", hint="there is one: --official")
    from restore_cli.weights.exporting import export_published
    from restore_cli.weights.store import locate

    written = [str(path) for path in export_published(locate(model), output)]
    if display.json:
        console.json_object({"files": written})
        return
    for path in written:
        console.text(path)


@weights_app.command("fetch", epilog=FETCH_EXAMPLES)
@with_groups
def fetch_weights(
    source: Annotated[
        str,
        typer.Argument(metavar="URL|NAME", help="An address, or a model's name on the mirror."),
    ],
    *,
    sha256: Annotated[str, Option("SHA-256 of the file, as sha256sum prints it.", metavar="HEX")],
    output: Annotated[
        Path | None,
        Option("A file or a folder; default: the cache folder.", short="-o", metavar="OUT"),
    ] = None,
    mirror: Annotated[
        str,
        Option(
            "Address that replaces scheme and host; also set by RESTORE_MIRROR.",
            metavar="URL",
            env=True,
        ),
    ] = "",
    display: JsonQuietDebug,
) -> None:
    """Download weights and check them; a download that was interrupted goes on.

    Prints where the file is. Proxies are taken from HTTPS_PROXY and NO_PROXY.
    """
    from restore_cli.weights.download import fetch
    from restore_cli.weights.header import SUFFIX
    from restore_cli.weights.store import cache_dir

    path = fetch(source, sha256, output=output, mirror=mirror, on_bytes=_DownloadProgress())
    if path.parent == cache_dir():
        console.info(f"use it with --model {path.stem}")
    elif path.suffix != SUFFIX:
        console.info(f"next: restore weights import {path}")
    if display.json:
        console.json_object({"path": str(path), "bytes": path.stat().st_size})
    else:
        console.text(str(path))


@weights_app.command("verify", epilog=VERIFY_EXAMPLES)
@with_groups
def verify_weights(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|FILE",
            help="Models or weights files; default: all bundled and cached.",
            show_default=False,
        ),
    ] = None,
    *,
    display: JsonQuietDebug,
) -> None:
    """Check weights against the checksums on their cards; exits with 4 if any differ."""
    from restore_cli.weights.catalog import BUNDLED
    from restore_cli.weights.header import SUFFIX
    from restore_cli.weights.inventory import verify
    from restore_cli.weights.store import cached_files, locate

    everything = [*sorted(BUNDLED.glob(f"*{SUFFIX}")), *cached_files()]
    rows: list[tuple[str, str, str]] = []
    failed: list[RestoreError] = []
    for model in models or [str(path) for path in everything]:
        try:
            path = locate(model)
            rows.append((model if models else path.stem, "ok", verify(path)))
        except WeightsError as error:
            failed.append(error)
            rows.append((model, "failed", ""))
            console.error(str(error))
    if display.json:
        results: list[JsonObject] = [
            {"model": model, "state": state, "sha256": digest} for model, state, digest in rows
        ]
        errors = [error_to_dict(error) for error in failed]
        code = WeightsError.exit_code if failed else 0
        console.json_object({"weights": results, "errors": errors, "exit_code": code})
    else:
        console.table(("model", "state", "sha256 of the tensors"), rows)
    if failed:
        raise typer.Exit(WeightsError.exit_code)


@weights_app.command("path", epilog=PATH_EXAMPLES)
@with_groups
def path_of_weights(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")],
    *,
    display: DebugOnly,
) -> None:
    """Print where a model's weights file is."""
    from restore_cli.weights.store import locate

    console.text(str(locate(name)))


@weights_app.command("list", epilog=LIST_EXAMPLES)
@with_groups
def list_weights(*, display: JsonDebug) -> None:
    """List the weights on this machine: place, size and licence."""
    from restore_cli.weights.inventory import held_files

    held = held_files()
    if display.json:
        console.json_object({"weights": [_to_dict(file) for file in held]})
        return
    columns = ("name", "place", "MiB", "licence", "path")
    rows = [(f.name, f.place, f"{f.size_bytes / _MIB:.1f}", f.licence, str(f.path)) for f in held]
    console.table(columns, rows)


class _DownloadProgress:
    """Prints now and then how much is downloaded."""

    def __init__(self) -> None:
        self.said_s = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self.said_s < _PROGRESS_INTERVAL_S:
            return
        self.said_s = now_s
        of = f" of {total / _MIB:.1f}" if total else ""
        console.info(f"{done / _MIB:.1f}{of} MiB")


def _to_dict(held: Held) -> JsonObject:
    return {
        "name": held.name,
        "place": held.place,
        "bytes": held.size_bytes,
        "licence": held.licence,
        "path": str(held.path),
    }
