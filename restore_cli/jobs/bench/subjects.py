"""What is timed: a model in a file, or a published size with random weights; and on which picture.

Random weights are written to a file too, so that every variant, in this process or its own, loads a
model as a user's would be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from models import ARCHITECTURES, RestorationModel, create_model
from models.registry import ALIASES, PRESETS, config_values, preset, size_rule
from restore_cli.engine.channels import Pixels, to_tensor
from restore_cli.errors import WeightsError
from restore_cli.weights import catalog
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import save_model
from restore_cli.weights.header import SUFFIX, card_of, read_header
from restore_cli.weights.store import cached_file, locate

# Corrections of random networks are brought to about this size, as deblurring makes them: with
# larger ones, rounding errors would be measured that no picture shows.
CORRECTION_RMS = 13 / 255
_TRIAL_SIDE = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to be timed."""

    name: str
    path: Path
    card: ModelCard
    parameters: int
    is_random: bool


def subject(name: str | None, folder: Path) -> Subject:
    """Return what a name means.

    A model of exactly that name, or a file, goes before a published size of the architectures
    (``mimo-unet``, ``mprnet``), and that before shortened names of models.

    Args:
        name: of a model, a file or a published size; None is the default for deblurring.
        folder: where random weights are written; must live as long as the subject.

    Raises:
        WeightsError: no model, file or published size is called that, or it is damaged.
    """
    if name is None:
        return _of_file(locate(catalog.default_for("deblur").name))
    if not _is_model(name) and catalog.plain(name) in PRESETS:
        return _with_random_weights(name, folder)
    try:
        return _of_file(locate(name))
    except WeightsError as error:
        try:
            preset(name)
        except KeyError:
            raise error from None
        return _with_random_weights(name, folder)


def picture(width: int, height: int) -> Pixels:
    """Return (H, W, 3) waves with edges and a little noise, always the same."""
    rng = np.random.default_rng(0)
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)
    waves = [np.sin(x * a + y * b) for a, b in ((0.02, 0.05), (0.11, -0.03), (-0.07, 0.09))]
    pixels = 0.5 + 0.25 * np.stack(waves, axis=-1)
    pixels += 0.15 * (np.sin(x / 40 + y / 25) > 0)[..., None]
    pixels += 0.01 * rng.standard_normal(pixels.shape, dtype=np.float32)
    restored: Pixels = pixels.clip(0, 1, dtype=np.float32)
    return restored


def count_gflop(card: ModelCard, width: int, height: int) -> float:
    """Return the arithmetic of the network as published, two for each multiply-add.

    Nothing is computed; the size is that after padding to the network's size rule.
    """
    multiple = size_rule(card.architecture, card.config)
    height, width = (side + -side % multiple for side in (height, width))
    with torch.device("meta"):
        network = create_model(card.architecture, card.config).eval()
        image = torch.empty(1, 3, height, width)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(image)
    return counter.get_total_flops() / 1e9


def _is_model(name: str) -> bool:
    names = {card.name for card in catalog.all_cards()}
    return Path(name).is_file() or catalog.plain(name) in names or cached_file(name).is_file()


def _of_file(path: Path) -> Subject:
    header = read_header(path)
    card = card_of(header, path)
    if card.architecture not in ARCHITECTURES:
        raise WeightsError(f"has a network unknown here: {card.architecture}", path=path)
    count = sum(int(np.prod(tensor.shape)) for tensor in header.tensors)
    return Subject(card.name, path, card, count, is_random=False)


def _with_random_weights(name: str, folder: Path) -> Subject:
    architecture, config = preset(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = create_model(architecture, config_values(config)).eval()
    _calm(network)
    card = ModelCard(
        name=ALIASES.get(catalog.plain(name), catalog.plain(name)),
        architecture=architecture,
        config=config_values(config),
        task="unknown",
        summary="seeded random weights",
        licence="none",
        version="0",
    )
    path = folder / f"{card.name}{SUFFIX}"
    card = save_model(path, network, card)
    count = sum(parameter.numel() for parameter in network.parameters())
    return Subject(card.name, path, card, count, is_random=True)


@torch.no_grad()
def _calm(network: RestorationModel) -> None:
    """Scale the output layers so that corrections are of a size that trained networks have."""
    image = to_tensor(picture(_TRIAL_SIDE, _TRIAL_SIDE))
    rms = (network.restore(image) - image).square().mean().sqrt()
    for layer in network.output_layers():
        for parameter in layer.parameters():
            parameter.mul_(CORRECTION_RMS / rms)
