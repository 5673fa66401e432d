"""PSNR on photos that the training never sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from restore_cli.data.augment import Augmentation, random_crop
from restore_cli.data.pairs import Pair
from restore_cli.data.photos import PhotoCache
from restore_cli.degradations.tasks import Chain
from restore_cli.engine.channels import Pixels
from restore_cli.metrics.distortion import psnr_db
from restore_cli.training.sources import Source

# What squares that differ less count: they look the same, and one that was sharp, with 60 dB or
# without end, would otherwise decide the mean.
ALIKE_DB = 45.0
_SEED = 2021  # of every validation set, so that runs with other seeds compare


Restore = Callable[[Pixels], Pixels]  # the engine: (H, W, 3) float32 to the same shape


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Degraded and clean squares (1, 3, side, side) in [0, 1], the same at every validation."""

    samples: tuple[tuple[Tensor, Tensor], ...]

    def psnr_in_db(self) -> float:
        """Return the mean PSNR of the untouched degraded squares."""
        return _mean([psnr_db(degraded, clean) for degraded, clean in self.samples])

    def restored(self, restore: Restore) -> list[Tensor]:
        """Return the restored squares (1, 3, side, side), clamped to [0, 1]."""
        return [_restored(degraded, restore) for degraded, _ in self.samples]

    def psnr_db(self, restored: Sequence[Tensor]) -> float:
        """Return the mean PSNR of the restored squares."""
        pairs = zip(restored, self.samples, strict=True)
        return _mean([psnr_db(image, clean) for image, (_, clean) in pairs])

    def sheet(self, restored: Sequence[Tensor], rows: int) -> Pixels:
        """Return the first squares as a picture: degraded, restored and clean in each row."""
        pairs = zip(restored[:rows], self.samples[:rows], strict=True)
        lines = [torch.cat([degraded, image, clean], -1) for image, (degraded, clean) in pairs]
        return torch.cat(lines, -2)[0].permute(1, 2, 0).numpy()


def make_validation_set(sources: Sequence[Source], chain: Chain | None, side: int) -> ValidationSet:
    """Cut one square from each source; sharp photos are degraded by the recipe's chain.

    A recipe without a chain has pairs only.

    Raises:
        ImageError: a file cannot be read.
    """
    cache = PhotoCache()
    samples = []
    for index, source in enumerate(sources):
        rng = np.random.default_rng([_SEED, index])
        if isinstance(source, Pair):
            photos = (cache.read(source.degraded), cache.read(source.clean))
            degraded, clean = (
                t[None] for t in random_crop(photos, side, Augmentation(flips="none"), rng)
            )
        else:
            if chain is None:
                raise ValueError("a photo without its degraded partner")
            wide = side + 2 * chain.margin
            (photo,) = random_crop((cache.read(source),), wide, Augmentation(flips="none"), rng)
            generator = torch.Generator().manual_seed(_SEED + index)
            degraded, clean = chain(photo[None], generator)
        samples.append((degraded, clean))
    return ValidationSet(tuple(samples))


def _restored(degraded: Tensor, restore: Restore) -> Tensor:
    pixels = restore(degraded[0].permute(1, 2, 0).contiguous().numpy())
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].clamp(0, 1)


def _mean(values: list[Tensor]) -> float:
    return float(torch.cat(values).clamp(max=ALIKE_DB).mean())
