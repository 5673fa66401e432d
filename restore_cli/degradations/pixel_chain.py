"""What the degradations that change pixels where they are have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from restore_cli.degradations.compression import sometimes_jpeg


@dataclass(frozen=True, slots=True)
class PixelChain:
    """A degradation that needs no picture around the result, and ends in a file that may be JPEG.

    Shares are probabilities.
    """

    takes_planes: ClassVar[bool] = True  # one grey plane is as good as three colours
    margin: ClassVar[int] = 0  # pixels of picture needed around the result

    jpeg_share: float = 0.3
    jpeg_quality: tuple[float, float] = (60.0, 98.0)

    @property
    def multiple_of(self) -> int:
        """What the sides of the photos must be a multiple of."""
        return 16 if self.jpeg_share else 1

    def _stored(self, images: Tensor, generator: Generator) -> Tensor:
        return sometimes_jpeg(generator, images, self.jpeg_share, self.jpeg_quality)
