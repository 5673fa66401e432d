"""Well exposed photos as they would be with too little light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from restore_cli.degradations.light import to_display, to_linear
from restore_cli.degradations.noise import poisson_gaussian
from restore_cli.degradations.pixel_chain import PixelChain
from restore_cli.degradations.random import chosen, log_uniform, uniform


@dataclass(frozen=True, slots=True)
class DarkChain(PixelChain):
    """A well exposed photo, shot with too short an exposure: less light, and the sensor's noise.

    Shares are probabilities.
    """

    lit_share: float = 0.1  # exposed as they should be, so that nothing good is harmed
    stops: tuple[float, float] = (0.5, 4.0)  # of light that lack: each halves it
    noise_shot: tuple[float, float] = (1e-6, 1e-3)  # variance at full signal, log-uniform
    noise_read: tuple[float, float] = (1e-5, 1.5e-3)  # standard deviation in the dark
    jpeg_quality: tuple[float, float] = (85.0, 99.0)

    def __call__(self, photos: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return (degraded, clean), both (N, C, s, s) in [0, 1]; clean is ``photos``.

        Args:
            photos: (N, C, s, s) sRGB in [0, 1], C 1 or 3; s a multiple of ``multiple_of``.
            generator: a CPU generator; the same state gives the same pixels on a device.
        """
        n = photos.shape[0]
        stops = uniform(generator, (n,), *self.stops)
        is_lit = chosen(generator, n, self.lit_share)
        light = torch.where(is_lit, 1.0, 0.5**stops).view(-1, 1, 1, 1).to(photos)
        shot = torch.where(is_lit, 0.0, log_uniform(generator, (n,), *self.noise_shot))
        read = torch.where(is_lit, 0.0, log_uniform(generator, (n,), *self.noise_read))
        exposed = poisson_gaussian(generator, to_linear(photos) * light, shot, read)
        dark = (to_display(exposed.clamp(0, 1)) * 255).round() / 255
        return self._stored(dark, generator), photos
