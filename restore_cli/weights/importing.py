"""Published checkpoints become models of ours: recognised, checked entry by entry, renamed."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from models import RestorationModel, create_model
from restore_cli.errors import WeightsError
from restore_cli.weights import tf_checkpoint
from restore_cli.weights.card import ModelCard
from restore_cli.weights.header import CARD_KEY, SUFFIX, read_header
from restore_cli.weights.keymaps.keymap import to_ours
from restore_cli.weights.published import SYSTEMS, keymap_for
from restore_cli.weights.recognise import Recognised, recognise
from restore_cli.weights.store import file_sha256

UNKNOWN_TASK = "unknown"

_AGAIN = "get the file again"
_REFUSED = "nothing of it was run; a checkpoint that holds only tensors and numbers is taken"
_WRAPPER_PREFIX = "module."  # of DataParallel, on every key
# Where a state dict lies in a checkpoint; training scripts add optimizers and counters beside it.
_WRAPPERS = tuple(dict.fromkeys(system.wrapper for system in SYSTEMS if system.wrapper))
_OPTIMIZER_SLOT = re.compile(r".*/(Adam(_\d+)?|Momentum|RMSProp(_\d+)?)")

# First bytes that say what a file is instead of a checkpoint.
_NOT_CHECKPOINTS = (
    (b"<", "is a web page, not a checkpoint", "download the file itself, not its preview page"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file", "run git lfs pull"),
    (b"\x1f\x8b", "is a gzip archive, not a checkpoint", "unpack it first"),
    (b"Rar!", "is a RAR archive, not a checkpoint", "unpack it first"),
    (b"7z\xbc\xaf", "is a 7-Zip archive, not a checkpoint", "unpack it first"),
)
_ZIP, _PICKLE = b"PK", b"\x80"

# Words in a file's name that tell what the same network was trained for.
_TASK_WORDS = (
    (r"deblur|gopro|realblur|motion", "deblur"),
    (r"denois|sidd|dnd", "denoise"),
    (r"derain|\brain", "derain"),
    (r"\bsr\b|super.?res|\bx[234]\b", "upscale"),
    (r"enhanc|\blol\b|fivek|low.?light", "enhance"),
)


@dataclass(frozen=True, slots=True)
class Imported:
    """A published checkpoint as a model of ours, not saved yet."""

    model: RestorationModel
    card: ModelCard
    title: str  # of the published system
    parameters: int


def import_checkpoint(path: Path, *, task: str = "", name: str = "") -> Imported:
    """Return the model in a published checkpoint, which need not say what it is.

    Args:
        path: of a ``.pkl``, ``.pth`` or ``.safetensors`` file; of a TensorFlow checkpoint, any of
            its files or what their names begin with.
        task: what the model is for; by default the file's name and size tell.
        name: of the model; by default made of the architecture's and the file's.

    Raises:
        WeightsError: unreadable, damaged, not a checkpoint, wanting to run code, or not exactly
            the entries of a known network.
    """
    sources, published = _read(path)
    source = sources[-1]
    try:
        published = _unwrapped(published)
        found = recognise({key: tuple(tensor.shape) for key, tensor in published.items()})
        state = _converted(published, found)
    except WeightsError as error:
        raise WeightsError(error.what, path=source, hint=error.hint) from error
    system = found.system
    model = create_model(system.architecture, found.config)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:  # a size for which the table of names is wrong
        what = f"{system.title} of this size cannot be imported: {error}"
        raise WeightsError(" ".join(what.split()), path=source) from error
    parameters = sum(parameter.numel() for parameter in model.parameters())
    card = ModelCard(
        name=name or _name(source, found),
        architecture=system.architecture,
        config=found.config,
        task=task or _task(source, found),
        summary=f"{system.title} of {parameters / 1e6:.1f} M parameters, as published",
        licence=system.licence,
        training={
            "imported_from": " + ".join(file.name for file in sources),
            "imported_sha256": " + ".join(file_sha256(file) for file in sources),
        },
    )
    model.eval().requires_grad_(False)
    return Imported(model, card, system.title, parameters)


def _read(path: Path) -> tuple[list[Path], dict[str, Any]]:
    """Return the files of a checkpoint, the one to complain about last; and what they hold.

    ``Any`` because that is what a pickle may hold; :func:`_unwrapped` finds the tensors in it.
    """
    prefix = tf_checkpoint.prefix_of(path)
    if path.suffix == tf_checkpoint.INDEX_SUFFIX or prefix != path:
        return _read_tensorflow(prefix)
    if path.is_dir():
        raise WeightsError("is a folder, not a checkpoint", path=path)
    if not path.exists():
        index = path.with_name(path.name + tf_checkpoint.INDEX_SUFFIX)
        if index.exists():
            return _read_tensorflow(path)
        raise WeightsError("no such file", path=path)
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error
    _refuse_others(path, start)
    if path.suffix == SUFFIX:
        return [path], _read_safetensors(path)
    return [path], _read_pickle(path, start)


def _refuse_others(path: Path, start: bytes) -> None:
    if not start:
        raise WeightsError("is empty", path=path, hint=_AGAIN)
    if path.suffix == SUFFIX:
        return
    for signature, what, hint in _NOT_CHECKPOINTS:
        if start.lstrip().startswith(signature):
            raise WeightsError(what, path=path, hint=hint)
    if not start.startswith((_ZIP, _PICKLE)):
        hint = "PyTorch .pth and .pkl files and TensorFlow .index files can be imported"
        raise WeightsError("is not a checkpoint", path=path, hint=hint)


def _read_tensorflow(prefix: Path) -> tuple[list[Path], dict[str, Any]]:
    files = tf_checkpoint.files_of(prefix)
    values = tf_checkpoint.read_checkpoint(prefix, _is_weight)
    return files, {key: torch.from_numpy(value) for key, value in values.items()}


def _is_weight(variable: tf_checkpoint.Variable) -> bool:
    """Return whether a variable is no scalar, such as a step count, and no optimizer's."""
    return bool(variable.shape) and not _OPTIMIZER_SLOT.fullmatch(variable.name)


def _read_safetensors(path: Path) -> dict[str, Any]:
    header = read_header(path)
    if CARD_KEY in header.metadata:
        raise WeightsError("is one of our files already", path=path, hint="use it with --model")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"is damaged: {error}", path=path, hint=_AGAIN) from error


def _read_pickle(path: Path, start: bytes) -> dict[str, Any]:
    if start.startswith(_ZIP):
        _check_zip(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say is in the error
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unpickling_error(path, str(error)) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise WeightsError("is damaged or cut off", path=path, hint=_AGAIN) from error
    if not isinstance(content, Mapping):
        what = f"holds a {type(content).__name__} where named tensors should be"
        raise WeightsError(what, path=path, hint="only checkpoints with a state dict are imported")
    return dict(content)


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError("is damaged or cut off", path=path, hint=_AGAIN) from error
    if not any(name.endswith("data.pkl") for name in names):
        what = "is a zip archive, not a checkpoint"
        raise WeightsError(what, path=path, hint="unpack it, and import the checkpoint in it")
    if damaged:
        raise WeightsError(f"is damaged: {damaged} has the wrong checksum", path=path, hint=_AGAIN)


def _unpickling_error(path: Path, text: str) -> WeightsError:
    """Return what to say when the restricted unpickler stops: at code, or at nonsense."""
    named = re.search(r"GLOBAL ([\w.]*\w) w", text)
    if named:
        what = f"is refused: it wants to run {named[1]}, which could do anything"
        return WeightsError(what, path=path, hint=_REFUSED)
    hint = f"{_AGAIN}; a pickle that torch.save did not write cannot be imported"
    return WeightsError("is damaged or no PyTorch checkpoint", path=path, hint=hint)


def _unwrapped(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict in what a file holds, without a wrapper's prefix."""
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not content:
        raise WeightsError("holds no tensors", hint=_AGAIN)
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            what = f"entry {key!r} is of type {type(value).__name__}, not a named tensor"
            raise WeightsError(what, hint="only checkpoints with a state dict are imported")
    if all(key.startswith(_WRAPPER_PREFIX) for key in content):
        return {key.removeprefix(_WRAPPER_PREFIX): value for key, value in content.items()}
    return dict(content)


def _converted(published: Mapping[str, Tensor], found: Recognised) -> dict[str, Tensor]:
    for key, tensor in published.items():
        if tensor.is_complex() or tensor.layout is not torch.strided:
            raise WeightsError(f"entry {key!r} is not of real numbers", hint=_AGAIN)
        if not torch.isfinite(tensor).all():
            what = f"entry {key!r} holds NaN or infinite numbers"
            raise WeightsError(what, hint="take an earlier checkpoint of that training")
    try:
        state = to_ours(published, keymap_for(found.system, found.config))
    except ValueError as error:
        what = f"{error}, in what looks like {found.system.title}"
        raise WeightsError(what, hint="the file is not of the published network") from error
    return {key: tensor.float() for key, tensor in state.items()}


def _task(source: Path, found: Recognised) -> str:
    """Return what the weights are for: the name of a size may say so, or that of the file."""
    for text in (found.preset, source.name.lower().replace("_", "-")):
        for pattern, task in _TASK_WORDS:
            if re.search(pattern, text):
                return task
    return found.system.task or UNKNOWN_TASK


def _name(source: Path, found: Recognised) -> str:
    """Return the network's name and the file's, without what says nothing or says it twice."""
    stem = tf_checkpoint.prefix_of(source).name.lower().removesuffix(source.suffix.lower())
    label = "-".join(word for word in re.split(r"[^a-z0-9]+", stem) if word not in ("", "model"))
    for network in (found.preset, found.system.architecture):
        squeezed = "-?".join(re.escape(word) for word in network.split("-"))
        if network and re.match(squeezed, label):
            return re.sub(squeezed, network, label, count=1) + "-imported"
    return "-".join(filter(None, (found.system.architecture, label, "imported")))
