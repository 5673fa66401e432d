"""What a run trains on, and what it is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from restore_cli.data.pairs import Listing, Pair, list_folder
from restore_cli.errors import UsageError
from restore_cli.training.config import TrainConfig

Source = Path | Pair  # a sharp photo to be degraded, or a degraded one with its clean one


def check_data(folder: Path) -> Listing:
    """Return what a training folder holds, strays included.

    Raises:
        UsageError: the folder is missing or holds no images.
    """
    return list_folder(folder)


def sources_of(listing: Listing, config: TrainConfig) -> list[Source]:
    """Return the pairs of a folder, or where there are none its sharp photos.

    Raises:
        UsageError: there are only sharp photos, and the recipe has no way to degrade them.
    """
    if listing.pairs:
        return list(listing.pairs)
    if config.degradation is None:
        raise UsageError(
            f"recipe {config.name} needs pairs, and this folder has none",
            hint="give --data a folder with input/ and target/ in it",
        )
    return list(listing.photos)


def hold_back(sources: Sequence[Source], share: float) -> tuple[list[Source], list[Source]]:
    """Split sources into those to train on and those to measure on, evenly over the list.

    At least one is held back, and at least one is left to train on.
    """
    count = min(max(1, round(len(sources) * share)), max(1, len(sources) - 1))
    chosen = {int((i + 0.5) * len(sources) / count) for i in range(count)}
    kept = [source for i, source in enumerate(sources) if i not in chosen]
    return kept or list(sources), [sources[i] for i in sorted(chosen)]
