"""Batches for a training run: which sample stands where depends on nothing but the seed.

A sample is addressed by (step, slot, place in the run). Resuming at step k therefore needs no
stored sampler state, and the number of worker processes changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from restore_cli.data.augment import Augmentation, random_crop
from restore_cli.data.pairs import Pair
from restore_cli.data.photos import Photo, PhotoCache
from restore_cli.data.text_pages import text_page
from restore_cli.errors import ImageError

Address = tuple[int, int, int, int]  # step, slot in the global batch, patch side, place in the run


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the training with one patch size; ``until`` is a share of all steps."""

    until: float
    patch: int
    batch: int


class Samples(Dataset[tuple[Tensor, ...]]):
    """Random crops of photos: (photo,) for sharp ones, (degraded, clean) for pairs.

    Sources are drawn at random, or, where the run is counted in epochs, shuffled anew for each
    pass, so that every one has been seen before any is seen again.
    """

    def __init__(
        self,
        sources: Sequence[Path | Pair],
        augmentation: Augmentation,
        margin: int,
        seed: int,
        *,
        in_passes: bool = False,
    ) -> None:
        self._sources = sources
        self._in_passes = in_passes
        self._order: tuple[int, list[int]] = (-1, [])  # of a pass
        self._augmentation = augmentation
        self._margin = margin
        self._seed = seed
        self._cache = PhotoCache()

    def __getitem__(self, address: Address) -> tuple[Tensor, ...]:
        """Return crops (3, s, s) float32 in [0, 1], s = patch + 2 · margin.

        Raises:
            ImageError: a file cannot be read, or the photos of a pair differ in size.
        """
        step, slot, patch, place = address
        rng = np.random.default_rng([self._seed, step, slot])
        if self._in_passes:
            source = self._in_order(place)
        else:
            source = self._sources[int(rng.integers(len(self._sources)))]
        side = patch + 2 * self._margin
        return random_crop(self._photos(source, side, rng), side, self._augmentation, rng)

    def _photos(
        self, source: Path | Pair, side: int, rng: np.random.Generator
    ) -> tuple[Photo, ...]:
        """Return a sharp photo, now and then a page of text in its place, or a pair of photos."""
        if isinstance(source, Path):
            text_share = self._augmentation.text_share
            if text_share and rng.random() < text_share:
                return (text_page(rng, side),)
            return (self._cache.read(source),)
        photos = self._cache.read(source.degraded), self._cache.read(source.clean)
        if photos[0].shape != photos[1].shape:
            raise ImageError(f"differs in size from {source.degraded.name}", path=source.clean)
        return photos

    def _in_order(self, place: int) -> Path | Pair:
        number, position = divmod(place, len(self._sources))
        if self._order[0] != number:
            # The fourth number keeps it from being the stream of a sample, whose fourth is 0.
            rng = np.random.default_rng([self._seed, number, 0, 1])
            self._order = number, rng.permutation(len(self._sources)).tolist()
        return self._sources[self._order[1][position]]


class StepBatches(Sampler[list[Address]]):
    """The addresses of one process's share of each step's batch, from a first step on."""

    def __init__(
        self, phases: Sequence[Phase], first: int, steps: int, rank: int = 0, world: int = 1
    ) -> None:
        self._phases = phases
        self._first = first
        self._steps = steps
        self._rank = rank
        self._world = world

    def __iter__(self) -> Iterator[list[Address]]:
        for step in range(self._first, self._steps):
            phase = phase_at(self._phases, step, self._steps)
            slots = range(self._rank, phase.batch, self._world)
            yield [(step, slot, phase.patch, step * phase.batch + slot) for slot in slots]


def phase_at(phases: Sequence[Phase], step: int, steps: int) -> Phase:
    """Return the phase a step belongs to; the last one has no end."""
    for phase in phases:
        if step < phase.until * steps:
            return phase
    return phases[-1]


def make_loader(samples: Samples, batches: StepBatches, workers: int) -> DataLoader[Any]:
    """Return a loader of batches: one (N, 3, s, s) for photos, two for pairs."""
    return DataLoader(
        samples,
        batch_sampler=batches,
        # Its own, or each new loader would draw from the one that dropout uses.
        generator=torch.Generator(),
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
    )
