"""``weights``: bring models in and out, and see what is here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_cli.cli import options
from restore_cli.cli.console import console
from restore_cli.errors import RestoreError, UsageError, WeightsError
from restore_cli.jobs.json_report import JsonObject, error_to_dict

if TYPE_CHECKING:
    from restore_cli.weights.inventory import Held

IMPORT_EXAMPLES = """
\b
Examples:
  restore weights import MIMO-UNetPlus.pkl
  restore weights import model_lol.pth --name mirnet-lol --task enhance
  restore weights import checkpoints/deblur_model.index -o pss-nsc.safetensors
"""

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

Task = Literal["deblur", "denoise", "derain", "enhance", "upscale"]

_PROGRESS_INTERVAL_S = 5.0
_MIB = 1 << 20

Sha256 = Annotated[
    str,
    typer.Option("--sha256", metavar="HEX", help="What the file must be, as sha256sum prints it."),
]
Mirror = Annotated[
    str,
    typer.Option(
        "--mirror",
        metavar="URL",
        help="Address in place of scheme and host; also set by RESTORE_MIRROR.",
        envvar="RESTORE_MIRROR",
        show_envvar=False,
        show_default=False,
    ),
]

weights_app = typer.Typer(
    no_args_is_help=True, help="Import, export, download, check and list weights."
)


@weights_app.command("import", epilog=IMPORT_EXAMPLES)
def import_weights(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .pkl or .pth file, or the .index of a TensorFlow checkpoint."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file to write; default: where --model finds it by name.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        Task | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="deblur, denoise, derain, enhance or upscale; default: as its name tells.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="What to call it; default: after network and file."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another model of that name.")
    ] = False,
    json: options.JsonData = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Turn a published checkpoint into a model for --model.

    The network is recognised: MIMO-UNet(+), MPRNet, MIRNet or PSS-NSC, of any size. Every entry is
    checked, and no code in the file is run. Prints where the model is.
    """
    chosen = _checked_name(name) if name else ""
    from restore_cli.weights.files import save_model
    from restore_cli.weights.importing import UNKNOWN_TASK, import_checkpoint

    imported = import_checkpoint(file, task=task or "", name=chosen)
    card = imported.card
    target = _import_target(card.name, output, str(card.training["imported_sha256"]), overwrite)
    console.note(f"licence of these weights: {card.licence}")
    if card.task == UNKNOWN_TASK:
        console.note("what it is for cannot be told; say it with --task")
    card = save_model(target, imported.model, card)
    sizes = ", ".join(f"{key} {value}" for key, value in card.config.items())
    count = f"{imported.parameters:,} parameters"
    console.info(f"{file}: {imported.title}, {count} ({sizes}); task: {card.task}")
    console.info(f"use it with --model {target if output else card.name}")
    if json:
        console.json_object(
            {
                "name": card.name,
                "path": str(target),
                "architecture": card.architecture,
                "config": dict(card.config),
                "parameters": imported.parameters,
                "task": card.task,
                "licence": card.licence,
                "sha256": card.sha256,
            }
        )
    else:
        console.text(str(target))


@weights_app.command("export", epilog=EXPORT_EXAMPLES)
def export_weights(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model's name or a weights file.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write; replaced if it exists."
        ),
    ],
    official: Annotated[
        bool, typer.Option("--official", help="In the layout of the published checkpoints.")
    ] = False,
    json: options.JsonData = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a model as the authors' own programs read it.

    PSS-NSC becomes a TensorFlow checkpoint, FILE.index and FILE.data-00000-of-00001; the others
    become PyTorch files. Prints what was written.
    """
    if not official:
        raise UsageError("no layout is named", hint="there is one: --official")
    from restore_cli.weights.exporting import export_published
    from restore_cli.weights.store import locate

    written = [str(path) for path in export_published(locate(model), output)]
    if json:
        console.json_object({"files": written})
        return
    for path in written:
        console.text(path)


@weights_app.command("fetch", epilog=FETCH_EXAMPLES)
def fetch_weights(
    source: Annotated[
        str,
        typer.Argument(metavar="URL|NAME", help="An address, or a model's name on the mirror."),
    ],
    sha256: Sha256,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file or a folder; default: the cache folder.",
            show_default=False,
        ),
    ] = None,
    mirror: Mirror = "",
    json: options.JsonData = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Download weights; goes on where it broke off, keeps nothing that is not as expected.

    Prints where the file is. Proxies are taken from HTTPS_PROXY and NO_PROXY.
    """
    from restore_cli.weights.download import fetch
    from restore_cli.weights.header import SUFFIX
    from restore_cli.weights.store import cache_dir

    path = fetch(source, sha256, output=output, mirror=mirror, on_bytes=_Transfer())
    if path.parent == cache_dir():
        console.info(f"use it with --model {path.stem}")
    elif path.suffix != SUFFIX:
        console.info(f"next: restore weights import {path}")
    if json:
        console.json_object({"path": str(path), "bytes": path.stat().st_size})
    else:
        console.text(str(path))


@weights_app.command("verify", epilog=VERIFY_EXAMPLES)
def verify_weights(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|FILE",
            help="Models or weights files; default: all bundled and cached.",
            show_default=False,
        ),
    ] = None,
    json: options.JsonData = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Check that weights are what their cards say, byte by byte; exits with 4 if not."""
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
    if json:
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
def path_of_weights(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")],
    debug: options.Debug = False,
) -> None:
    """Print where a model's weights file is."""
    from restore_cli.weights.store import locate

    console.text(str(locate(name)))


@weights_app.command("list", epilog=LIST_EXAMPLES)
def list_weights(json: options.JsonData = False, debug: options.Debug = False) -> None:
    """List the weights on this machine: where, how large, under which licence."""
    from restore_cli.weights.inventory import held_files

    held = held_files()
    if json:
        console.json_object({"weights": [_to_dict(file) for file in held]})
        return
    columns = ("name", "place", "MiB", "licence", "path")
    rows = [(f.name, f.place, f"{f.size_bytes / _MIB:.1f}", f.licence, str(f.path)) for f in held]
    console.table(columns, rows)


class _Transfer:
    """Says now and then how far a download is."""

    def __init__(self) -> None:
        self.said_s = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self.said_s < _PROGRESS_INTERVAL_S:
            return
        self.said_s = now_s
        of = f" of {total / _MIB:.1f}" if total else ""
        console.info(f"{done / _MIB:.1f}{of} MiB")


def _checked_name(name: str) -> str:
    from restore_cli.weights.catalog import all_cards, plain

    plain_name = plain(name)
    if not plain_name.replace("-", "").isalnum() or not plain_name.isascii():
        raise UsageError(f"--name {name!r} is not made of letters, digits and dashes")
    if plain_name in {card.name for card in all_cards()}:
        raise UsageError(f"{plain_name} is a bundled model", hint="choose another --name")
    return plain_name


def _import_target(name: str, output: Path | None, source: str, overwrite: bool) -> Path:
    """Return where to write; a name never replaces another model unless that is wanted."""
    from restore_cli.weights.header import SUFFIX, read_card
    from restore_cli.weights.store import cached_file, make_folder

    if output is not None:
        if output.is_dir():
            return output / f"{name}{SUFFIX}"
        if output.suffix != SUFFIX:
            raise UsageError(f"-o {output} does not end in {SUFFIX}")
        return output
    target = cached_file(name)
    make_folder(target.parent)
    if target.exists() and not overwrite:
        try:
            is_same = read_card(target).training.get("imported_sha256") == source
        except WeightsError:
            is_same = False
        if not is_same:
            hint = "choose another --name, or say --overwrite"
            raise UsageError(f"there is another model called {name}", hint=hint)
    return target


def _to_dict(held: Held) -> JsonObject:
    return {
        "name": held.name,
        "place": held.place,
        "bytes": held.size_bytes,
        "licence": held.licence,
        "path": str(held.path),
    }
