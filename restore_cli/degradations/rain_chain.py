"""Clear photos as they would be in rain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from restore_cli.degradations.light import to_display, to_linear
from restore_cli.degradations.optics import convolve, line_kernels
from restore_cli.degradations.pixel_chain import PixelChain
from restore_cli.degradations.random import chosen, log_uniform, uniform

_SLANT_SPREAD = math.radians(4)  # of one layer's streaks against the other's


@dataclass(frozen=True, slots=True)
class RainChain(PixelChain):
    """A clear photo, shot in rain: a veil of distant drops, and streaks of near ones before it.

    Both hide a share of the scene and add the sky's light. Shares are probabilities, ranges in
    pixels, of values of 1 or as said.

    Source: rain as streaks and veil, Li, Cheong and Tan, "Heavy Rain Image Restoration", CVPR 2019,
    section 3; how much of each is ours.
    """

    dry_share: float = 0.12  # left without rain, so that nothing clear is harmed
    layers: int = 2  # of streaks of one kind, far and near
    drops: tuple[float, float] = (3e-4, 4e-3)  # streaks for each pixel, log-uniform
    length: tuple[float, float] = (6.0, 40.0)  # log-uniform
    width: tuple[float, float] = (0.4, 1.2)  # standard deviation across a streak
    slant_deg: float = 35.0  # largest angle from the vertical
    opacity: tuple[float, float] = (0.15, 0.8)  # of the brightest streaks
    sky: tuple[float, float] = (0.75, 1.0)  # linear light that drops show
    # A thick veil looks like a bright scene: who learns to lift it takes contrast for rain.
    veil_share: float = 0.3
    veil: tuple[float, float] = (0.03, 0.2)  # of the scene that it hides where it is thickest
    display_share: float = 0.3  # streaks laid over display values, as in published sets
    jpeg_quality: tuple[float, float] = (70.0, 98.0)

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"layers {self.layers} is less than 1")

    def __call__(self, photos: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return (degraded, clean), both (N, C, s, s) in [0, 1]; clean is ``photos``.

        Args:
            photos: (N, C, s, s) sRGB in [0, 1], C 1 or 3; s a multiple of ``multiple_of``.
            generator: a CPU generator; the same state gives the same pixels on a device.
        """
        n = photos.shape[0]
        in_display = chosen(generator, n, self.display_share).to(photos.device).view(-1, 1, 1, 1)
        scene = torch.where(in_display, photos, to_linear(photos))
        sky = uniform(generator, (n, 1, 1, 1), *self.sky).to(photos)

        hidden = self._veil(photos, generator)
        wet = scene + hidden * (sky - scene)
        slant = uniform(generator, (n,), -1, 1) * math.radians(self.slant_deg)
        for _ in range(self.layers):
            hidden = self._streaks(photos, slant, generator)
            wet = wet + hidden * (sky - wet)

        wet = torch.where(in_display, wet, to_display(wet))
        is_dry = chosen(generator, n, self.dry_share).to(photos.device).view(-1, 1, 1, 1)
        wet = (torch.where(is_dry, photos, wet) * 255).round() / 255
        return self._stored(wet, generator), photos

    def _veil(self, photos: Tensor, generator: Generator) -> Tensor:
        """Return the share of the scene (N, 1, s, s) that distant rain hides; it varies slowly."""
        n, side = photos.shape[0], photos.shape[-1]
        cells = torch.rand(n, 1, 3, 3, generator=generator)
        depth = F.interpolate(cells, size=(side, side), mode="bilinear", align_corners=True)
        most = uniform(generator, (n, 1, 1, 1), *self.veil)
        is_veiled = chosen(generator, n, self.veil_share).view(-1, 1, 1, 1)
        return (depth * most * is_veiled).to(photos)

    def _streaks(self, photos: Tensor, slant: Tensor, generator: Generator) -> Tensor:
        """Return the share of the scene (N, 1, s, s) that one layer of streaks hides."""
        n, side = photos.shape[0], photos.shape[-1]
        density = log_uniform(generator, (n, 1, 1, 1), *self.drops)
        is_drop = torch.rand(n, 1, side, side, generator=generator) < density
        brightness = torch.rand(n, 1, side, side, generator=generator) * is_drop
        kernels = line_kernels(
            log_uniform(generator, (n,), *self.length),
            slant + _SLANT_SPREAD * torch.randn(n, generator=generator),
            uniform(generator, (n,), *self.width),
        )
        kernels = kernels / kernels.amax(dim=(1, 2), keepdim=True)  # a streak is as bright as long
        opacity = uniform(generator, (n, 1, 1, 1), *self.opacity).to(photos)
        return opacity * convolve(brightness.to(photos), kernels).clamp(max=1)
