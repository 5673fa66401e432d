"""Clean photos with noise, as denoisers are trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from restore_cli.degradations.light import to_display, to_linear
from restore_cli.degradations.noise import demosaicked, poisson_gaussian, white_gaussian
from restore_cli.degradations.optics import convolve, gaussian_kernels
from restore_cli.degradations.pixel_chain import PixelChain
from restore_cli.degradations.random import chosen, log_uniform, uniform


@dataclass(frozen=True, slots=True)
class NoiseChain(PixelChain):
    """White Gaussian noise of a level drawn for each photo, or a share with that of a sensor.

    The papers add white noise and leave the sum as it is; a file holds 8 bits, and sensor noise
    grows with the light. Both kinds are offered; the defaults are what a file can hold.
    """

    sigmas_8bit: tuple[float, ...] = ()  # white noise of one of these levels ...
    sigma_range_8bit: tuple[float, float] = (0.0, 50.0)  # ... or of any level between these two
    clean_share: float = 0.0  # left without noise, so that nothing clean is harmed
    sensor_share: float = 0.0  # shot and read-out noise in linear light instead
    noise_shot: tuple[float, float] = (1e-5, 1e-2)  # variance at full signal, log-uniform
    noise_read: tuple[float, float] = (2e-4, 3e-2)  # standard deviation in the dark
    # What a camera does to the noise of its sensor, each in a share of those photos: one colour a
    # pixel and the others interpolated, red and blue amplified; blotches of colour, which
    # remain where fine noise of colour is smoothed away; then smoothing of everything.
    mosaic_share: float = 0.0
    white_balance: tuple[float, float] = (1.0, 2.2)  # gain of red and of blue
    blotch_share: float = 0.0
    blotch_sigma: tuple[float, float] = (0.8, 4.0)  # pixels, log-uniform
    blotch_strength: tuple[float, float] = (0.3, 1.0)  # of the noise of colour before
    smooth_share: float = 0.0
    smooth_sigma: tuple[float, float] = (0.3, 1.2)  # pixels
    # Clipped and rounded to 8 bits, as in a file; the white noise of papers is neither, and what
    # was trained on one kind alone shifts the darks and lights of the other.
    eight_bit_share: float = 1.0
    jpeg_share: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.sigma_range_8bit
        if not 0 <= low <= high or any(sigma < 0 for sigma in self.sigmas_8bit):
            raise ValueError("a noise level is negative, or the range runs backwards")

    def __call__(self, photos: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return (degraded, clean), both (N, C, s, s); clean is ``photos``.

        Args:
            photos: (N, C, s, s) sRGB in [0, 1], C 1 or 3; s a multiple of ``multiple_of``.
            generator: a CPU generator; the same state gives the same pixels on a device.
        """
        noisy = white_gaussian(generator, photos, self._sigmas(photos.shape[0], generator))
        if self.sensor_share:
            is_sensor = chosen(generator, photos.shape[0], self.sensor_share)
            sensor = self._sensor(photos, generator)
            noisy = torch.where(is_sensor.to(photos.device).view(-1, 1, 1, 1), sensor, noisy)
        if self.clean_share:
            is_clean = chosen(generator, photos.shape[0], self.clean_share)
            noisy = torch.where(is_clean.to(photos.device).view(-1, 1, 1, 1), photos, noisy)
        in_file = chosen(generator, photos.shape[0], self.eight_bit_share)
        rounded = (noisy.clamp(0, 1) * 255).round() / 255
        noisy = torch.where(in_file.to(photos.device).view(-1, 1, 1, 1), rounded, noisy)
        return self._stored(noisy, generator), photos

    def _sigmas(self, n: int, generator: Generator) -> Tensor:
        if not self.sigmas_8bit:
            return uniform(generator, (n,), *self.sigma_range_8bit) / 255
        which = torch.randint(len(self.sigmas_8bit), (n,), generator=generator)
        return torch.tensor(self.sigmas_8bit)[which] / 255

    def _sensor(self, photos: Tensor, generator: Generator) -> Tensor:
        n = photos.shape[0]
        shot = log_uniform(generator, (n,), *self.noise_shot)
        read = log_uniform(generator, (n,), *self.noise_read)
        linear = to_linear(photos)
        noise = poisson_gaussian(generator, linear, shot, read) - linear
        if self.mosaic_share and photos.shape[1] == 3:  # a grey plane has no colours to lack
            gains = uniform(generator, (n, 3, 1, 1), *self.white_balance).to(noise)
            gains[:, 1] = 1
            which = chosen(generator, n, self.mosaic_share).nonzero().flatten()
            noise[which] = demosaicked(generator, noise[which] * gains[which])
        if self.blotch_share and photos.shape[1] == 3:
            which = chosen(generator, n, self.blotch_share).nonzero().flatten()
            if len(which):
                noise[which] = self._blotched(noise[which], generator)
        if self.smooth_share:
            sigma = uniform(generator, (n,), *self.smooth_sigma)
            which = chosen(generator, n, self.smooth_share).nonzero().flatten()
            if len(which):
                noise[which] = convolve(noise[which], gaussian_kernels(sigma[which]))
        return to_display((linear + noise).clamp(0, 1))

    def _blotched(self, noise: Tensor, generator: Generator) -> Tensor:
        """Return noise (N, 3, s, s) whose colour is smooth, and whose grey is as it was."""
        n = noise.shape[0]
        sigma = log_uniform(generator, (n,), *self.blotch_sigma)
        strength = uniform(generator, (n, 1, 1, 1), *self.blotch_strength).to(noise)
        grey = noise.mean(dim=1, keepdim=True)
        colour = noise - grey
        smooth = convolve(colour, gaussian_kernels(sigma))
        spread = colour.std(dim=(1, 2, 3), keepdim=True)
        return grey + smooth * strength * (spread / smooth.std(dim=(1, 2, 3), keepdim=True))
