"""Losses that look through a network of their own: the weights they need, and where those are."""

from __future__ import annotations

from pathlib import Path

import torch

from models.losses.perceptual import FeatureLoss
from restore_cli.errors import WeightsError
from restore_cli.training.checkpoint import load_tensors
from restore_cli.weights.store import cache_dir

VGG = "vgg16"  # the name of the file in the cache, with either suffix
_HINT = (
    "set loss.vgg to a file with torchvision's VGG16 weights, as with --set loss.vgg=vgg16.pth,"
    " or loss.feature to 0"
)


def feature_loss(file: str, device: torch.device) -> FeatureLoss:
    """Return the feature term with the weights of ``file``, or of the cache if that is empty.

    Raises:
        WeightsError: they are not there, cannot be read, or are not those of a VGG16.
    """
    path = Path(file).expanduser() if file else _in_cache()
    if not path.is_file():
        raise WeightsError("no weights of VGG16 for the feature term", path=path, hint=_HINT)
    try:
        return FeatureLoss(load_tensors(path)).to(device)
    except (KeyError, RuntimeError, ValueError) as error:
        raise WeightsError("is no VGG16", path=path, hint=_HINT) from error


def _in_cache() -> Path:
    files = [cache_dir() / f"{VGG}{suffix}" for suffix in (".safetensors", ".pth")]
    return next((file for file in files if file.is_file()), files[0])
