"""A model becomes an ONNX file, which is kept only if it computes what the network computes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models import ARCHITECTURES, RestorationModel
from models.registry import size_rule
from restore_cli import __version__
from restore_cli.atomic import replacing
from restore_cli.errors import ResultError, UsageError, WeightsError
from restore_cli.jobs.json_report import JsonObject
from restore_cli.methods.onnx_session import INSTALL, OnnxSession
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import load_model
from restore_cli.weights.store import locate

if TYPE_CHECKING:
    import onnx

PACKAGES = ("onnx", "onnxscript", "onnxruntime")

MAX_DIFFERENCE = 1e-3  # a quarter of an 8-bit step; fp32 rounding makes some 1e-7

INPUT, OUTPUT = "image", "restored"

# Multiples of every network's size rule; the file is traced at other sizes than it is checked at.
_TRACED = (2, 80, 112)  # images, height, width
_CHECKED = ((1, 64, 64), (3, 48, 96))

# Logger and least level of what the exporter says that is no one's fault.
_CHATTER = {"torch.onnx._internal.exporter._registration": logging.ERROR}  # "no torchvision"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how far it is from the network."""

    model: str
    path: str
    size_bytes: int
    opset: int
    input_shape: tuple[int | str, ...]
    multiple_of: int
    max_difference: float
    checked: tuple[tuple[int, int, int], ...]  # images, height, width
    notes: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return the report as ``--json`` prints it."""
        values: JsonObject = asdict(self)
        return values | {"checked": [list(size) for size in self.checked]}


def export_onnx(model: str, target: Path, size: tuple[int, int] | None = None) -> ExportReport:
    """Write a model's final image as an ONNX graph.

    In goes ``image``, (N, 3, H, W) RGB in [0, 1], out comes ``restored`` likewise and not clamped;
    H and W are multiples of the network's size rule. The file's properties say so, and hold
    the model's card.

    Args:
        model: a name or a weights file.
        target: replaced if it exists, once the new file is checked.
        size: width and height of the only images the file takes, one at a time; None is any.

    Raises:
        UsageError: a package is missing, or the size breaks the network's rule.
        WeightsError: unknown or damaged weights, or ``target`` cannot be written.
        ResultError: the file cannot be made, or computes something else.
    """
    _refuse_missing_packages()
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else "is in a folder that does not exist"
        raise WeightsError(f"cannot be written: it {what}", path=target)
    network, card = load_model(locate(model))
    multiple = size_rule(card.architecture, card.config)
    if size is not None and any(side % multiple for side in size):
        hint = f"{card.architecture} takes sides that are multiples of {multiple}"
        raise UsageError(f"a size of {size[0]}x{size[1]} is not possible", hint=hint)
    graph = _graph(network, multiple, size)
    _describe(graph, card, multiple)
    sizes = _CHECKED if size is None else ((1, size[1], size[0]),)
    # In the temporary file: what fails its check never gets the name that was asked for.
    with replacing(target, WeightsError) as file:
        file.write(graph.SerializeToString())
        file.flush()
        difference = _difference(Path(file.name), network, sizes)
        if not difference <= MAX_DIFFERENCE:
            what = f"the file differs from the network by {difference:.2g}, so it was not kept"
            raise ResultError(what, path=target, hint="another version of onnxruntime may help")
    shape = graph.graph.input[0].type.tensor_type.shape.dim
    return ExportReport(
        model=card.name,
        path=str(target),
        size_bytes=target.stat().st_size,
        opset=next(entry.version for entry in graph.opset_import if not entry.domain),
        input_shape=tuple(side.dim_param or side.dim_value for side in shape),
        multiple_of=multiple,
        max_difference=difference,
        checked=sizes,
        notes=_notes(card),
    )


class _FinalImage(nn.Module):
    """A network without its intermediate images."""

    def __init__(self, network: RestorationModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.restore(image)


def _graph(
    network: RestorationModel, multiple: int, size: tuple[int, int] | None
) -> onnx.ModelProto:
    """Return the traced network.

    The opset is the exporter's own choice: the newest that it writes without converting.
    """
    if size is None:
        image = torch.zeros(_TRACED[0], 3, *_TRACED[1:])
        rows, columns = torch.export.Dim("h"), torch.export.Dim("w")
        free: dict[int, Any] = {0: torch.export.Dim("n"), 2: rows, 3: columns}  # its own classes
        if multiple > 1:
            free |= {2: multiple * rows, 3: multiple * columns}
        shapes: tuple[dict[int, Any], ...] | None = (free,)
    else:
        image, shapes = torch.zeros(1, 3, size[1], size[0]), None
    try:
        with _quiet():
            program = torch.onnx.export(
                _FinalImage(network).eval(),
                (image,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        hint = "try a fixed --size" if size is None else ""
        raise ResultError(f"cannot be exported: {reason}", hint=hint) from error
    if program is None:
        raise ResultError("cannot be exported: torch returned no graph")
    return program.model_proto


def _describe(graph: onnx.ModelProto, card: ModelCard, multiple: int) -> None:
    """Write into the file what it is, for programs and for people."""
    import onnx

    graph.producer_name, graph.producer_version = "restore-cli", __version__
    graph.doc_string = card.summary
    facts = {
        "name": card.name,
        "architecture": card.architecture,
        "config": json.dumps(dict(card.config)),
        "task": card.task,
        "licence": card.licence,
        "version": card.version,
        "sha256": card.sha256,  # of the weights, as in the model's own file
        "multiple_of": str(multiple),
        "layout": "NCHW, RGB, float32",
        "range": "[0, 1]; the output is not clamped",
    }
    if ARCHITECTURES[card.architecture].patch:
        facts["pooling"] = "global"
    onnx.helper.set_model_props(graph, facts)


@torch.no_grad()
def _difference(
    path: Path, network: RestorationModel, sizes: tuple[tuple[int, int, int], ...]
) -> float:
    """Return the largest difference between file and network, NaN if either gives that."""
    try:
        session = OnnxSession(path, torch.get_num_threads())
        found = []
        for count, height, width in sizes:
            noise = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))
            # Smooth and rough places, as in a picture.
            ramp = torch.linspace(0, 1, width).expand(count, 3, height, width)
            image = (ramp + noise * ramp) / 2
            restored = torch.from_numpy(session.run(image.numpy(), 0.0))
            found.append((restored - network.restore(image)).abs().max())
    except WeightsError as error:
        raise ResultError(f"the file was not kept: it {error.what}") from error
    return float(torch.stack(found).max())


def _notes(card: ModelCard) -> tuple[str, ...]:
    if not ARCHITECTURES[card.architecture].patch:
        return ()
    return (
        f"{card.architecture} takes means over the whole image in this file, as with"
        " --pooling global; feed it patches of its training size for what --pooling local gives",
    )


def _refuse_missing_packages() -> None:
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"this needs {name}, which is not installed", hint=INSTALL)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep off what torch says about itself while it exports."""
    before = {name: logging.getLogger(name).level for name in _CHATTER}
    for name, level in _CHATTER.items():
        logging.getLogger(name).setLevel(level)
    try:
        with warnings.catch_warnings():
            # torch 2.13 copies a class of its own that it deprecates.
            warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated", FutureWarning)
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
