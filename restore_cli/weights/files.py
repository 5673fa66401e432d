"""Weights files: safetensors whose header holds the card, so that a file alone is a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from models import RestorationModel, create_model
from models.registry import config_values, make_config
from restore_cli.atomic import replacing
from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard
from restore_cli.weights.header import CARD_KEY, Header, card_of, content_sha256, parse_header

_SHAPE_HINT = "the file belongs to another network or another version of it"


def save_model(
    path: Path, model: RestorationModel, card: ModelCard, *, dtype: torch.dtype | None = None
) -> ModelCard:
    """Write a model to one file, whole or not at all.

    Args:
        path: replaced if it exists.
        model: must be what ``card.architecture`` and ``card.config`` build; it is not changed.
        card: config fields left out are written with their defaults; ``sha256`` is filled in.
        dtype: what floating-point weights are stored as; None keeps them as they are.

    Returns:
        The card as written.

    Raises:
        ValueError: the card does not describe this model.
        WeightsError: the file cannot be written.
    """
    config = config_values(make_config(card.architecture, card.config))
    card = replace(card, config=config, sha256="")
    tensors = {name: _stored(tensor, dtype) for name, tensor in model.state_dict().items()}
    problem = _misfit(_skeleton(card), tensors)
    if problem:
        raise ValueError(f"card {card.name!r} is not of this model: {problem}")
    # Twice over: the digest is of the bytes as the format lays them out, and goes before them.
    data = safetensors.torch.save(tensors)
    header = parse_header(BytesIO(data), len(data), path)
    card = replace(card, sha256=content_sha256(data, header))
    with replacing(path, WeightsError) as file:
        file.write(safetensors.torch.save(tensors, {CARD_KEY: card.to_json()}))
    return card


def load_model(path: Path) -> tuple[RestorationModel, ModelCard]:
    """Rebuild a model from one of our files.

    Returns:
        The network on the CPU in float32, in eval mode and without gradients; and its card.

    Raises:
        WeightsError: unreadable, not a safetensors file, truncated, without a card, of an unknown
            architecture, with keys or shapes that do not fit, or with a wrong checksum.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error
    header = parse_header(BytesIO(data), len(data), path)
    card = card_of(header, path)
    model = _network(card, path)
    tensors = _decoded(data, header, card, path)
    problem = _misfit(model, tensors)
    if problem:
        raise WeightsError(problem, path=path, hint=_SHAPE_HINT)
    model.load_state_dict({name: _as_loaded(tensor) for name, tensor in tensors.items()})
    return model.eval().requires_grad_(False), card


def _network(card: ModelCard, path: Path) -> RestorationModel:
    try:
        return create_model(card.architecture, card.config)
    except KeyError as error:
        hint = "a newer version of this program may know it"
        raise WeightsError(str(error.args[0]), path=path, hint=hint) from error
    except (ValueError, TypeError) as error:
        raise WeightsError(f"model card has a bad config: {error}", path=path) from error


def _decoded(data: bytes, header: Header, card: ModelCard, path: Path) -> dict[str, Tensor]:
    actual = content_sha256(data, header)
    if actual != card.sha256:
        what = f"has the wrong checksum: {actual[:12]}…, its card says {card.sha256[:12]}…"
        raise WeightsError(what, path=path, hint="the file is damaged; get it again")
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"is damaged: {error}", path=path, hint="get the file again") from error


def _skeleton(card: ModelCard) -> RestorationModel:
    with torch.device("meta"):
        return create_model(card.architecture, card.config)


def _misfit(model: RestorationModel, tensors: Mapping[str, Tensor]) -> str:
    """Return the first way in which ``tensors`` are not the state of ``model``, or nothing."""
    wanted = model.state_dict()
    for name in sorted(set(wanted) | set(tensors)):
        if name not in tensors:
            return f"tensor {name!r} is missing"
        if name not in wanted:
            return f"tensor {name!r} is not part of the network"
        has, needs = tuple(tensors[name].shape), tuple(wanted[name].shape)
        if has != needs:
            return f"tensor {name!r} has shape {has}, the network needs {needs}"
    return ""


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    if dtype is not None and tensor.is_floating_point():
        tensor = tensor.to(dtype)
    return tensor.detach().cpu().contiguous()


def _as_loaded(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
