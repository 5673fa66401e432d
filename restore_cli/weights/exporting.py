"""Our models become checkpoints in the published layout, for the authors' own programs."""

from __future__ import annotations

from pathlib import Path

import torch

from restore_cli.atomic import replacing
from restore_cli.errors import WeightsError
from restore_cli.weights import tf_checkpoint
from restore_cli.weights.files import load_model
from restore_cli.weights.keymaps.keymap import to_published
from restore_cli.weights.published import keymap_for
from restore_cli.weights.recognise import system_of


def export_published(source: Path, target: Path) -> list[Path]:
    """Write a model as the published checkpoints are: names, doubled entries, constants, wrapper.

    Args:
        source: one of our files.
        target: replaced if it exists; for a TensorFlow checkpoint, what its files' names begin
            with, or one of those names.

    Returns:
        The files written.

    Raises:
        WeightsError: ``source`` is damaged or of a network that nobody published, or ``target``
            cannot be written.
    """
    model, card = load_model(source)
    try:
        system = system_of(card.architecture)
        published = to_published(model.state_dict(), keymap_for(system, card.config))
    except (WeightsError, ValueError) as error:
        what = f"cannot be exported: {error}"
        raise WeightsError(what, path=source) from error
    if not system.wrapper:
        prefix = tf_checkpoint.prefix_of(target)
        tf_checkpoint.write_checkpoint(
            prefix, {key: tensor.numpy() for key, tensor in published.items()}
        )
        return tf_checkpoint.files_of(prefix)
    with replacing(target, WeightsError) as file:
        torch.save({system.wrapper: published}, file)
    return [target]
