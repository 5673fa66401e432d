"""The order in which a camera spoils a picture, and how much of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from restore_cli.degradations.compression import sometimes_jpeg
from restore_cli.degradations.light import lift_highlights, to_display, to_linear
from restore_cli.degradations.motion import (
    hand_shake,
    mean_of_frames,
    smooth_paths,
    soft_masks,
    with_extent,
)
from restore_cli.degradations.noise import poisson_gaussian
from restore_cli.degradations.optics import convolve, disc_kernels, oval_kernels
from restore_cli.degradations.random import chosen, log_uniform, uniform


@dataclass(frozen=True, slots=True)
class BlurChain:
    """A sharp photo, shot with a moving camera: shares are probabilities, ranges in pixels.

    The exposure is integrated in linear light, then come noise, the sRGB curve, 8 bits and JPEG.
    """

    takes_planes: ClassVar[bool] = False  # noise and JPEG need the three colours
    multiple_of: ClassVar[int] = 16  # for JPEG

    sharp_share: float = 0.08  # left without blur, so that nothing sharp is harmed
    shake_extent: tuple[float, float] = (1.0, 25.0)  # log-uniform
    frames: int = 15  # sub-frames of an exposure
    # The sharp photo is where the camera was at half time, as in pairs made of high-speed video;
    # else it is in the middle of the streak, where a viewer would put it.
    middle_share: float = 0.5
    layer_share: float = 0.25  # with a foreground that moves differently
    layer_extent: tuple[float, float] = (1.0, 25.0)
    defocus_share: float = 0.2
    defocus_radius: tuple[float, float] = (0.5, 3.0)
    # Softened by the lens, by Gaussians instead of discs; a share of them by nothing else.
    soft_share: float = 0.0
    soft_sigma: tuple[float, float] = (0.5, 3.0)
    soft_aspect: tuple[float, float] = (0.3, 1.0)
    still_share: float = 0.7
    display_share: float = 0.3  # averaged in display values, as high-speed video is
    # Of batches, made as pairs from high-speed video are: few frames, of which the one at half
    # time, or half a frame after it, is the sharp photo.
    video_share: float = 0.0
    video_display_share: float = 1.0  # of those, averaged in display values
    video_frames: tuple[int, int] = (7, 13)
    highlight_share: float = 0.25
    highlight_factor: tuple[float, float] = (1.5, 8.0)
    noise_share: float = 0.6
    noise_shot: tuple[float, float] = (1e-5, 1e-3)  # variance at full signal
    noise_read: tuple[float, float] = (2e-4, 6e-3)  # standard deviation in the dark
    jpeg_share: float = 0.3
    jpeg_quality: tuple[float, float] = (60.0, 98.0)

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ValueError(f"frames {self.frames} is less than 2")
        if not 2 <= self.video_frames[0] <= self.video_frames[1]:
            raise ValueError(f"video_frames {self.video_frames} is no range from 2 on")

    @property
    def margin(self) -> int:
        """Pixels of picture needed around the result on each side."""
        # The shift reaches half its extent to a side, roll, dolly and tilt little more.
        reach = max(self.shake_extent[1], self.layer_extent[1])
        return int(0.5 * (self.shake_extent[1] + reach)) + 8

    def __call__(self, photos: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return (degraded, clean), both (N, 3, s, s) in [0, 1], s = side - 2 · margin.

        Args:
            photos: (N, 3, side, side) sRGB in [0, 1]; s must be a multiple of 16 for JPEG.
            generator: a CPU generator; the same state gives the same pixels on a device.
        """
        n, side = photos.shape[0], photos.shape[-1]
        size = side - 2 * self.margin
        clean = photos[..., self.margin : side - self.margin, self.margin : side - self.margin]

        frames = self._video_frames(generator)
        display_share = self.video_display_share if frames else self.display_share
        in_display = chosen(generator, n, display_share).to(photos.device).view(-1, 1, 1, 1)
        scene = torch.where(in_display, photos, self._scene(photos, generator))
        scene = self._defocus(scene, generator)
        scene, is_still = self._soften(scene, generator)
        exposed = self._expose(scene, generator, size, frames, is_still)
        linear = torch.where(in_display, to_linear(exposed.clamp(0, 1)), exposed)

        is_sharp = chosen(generator, n, self.sharp_share).to(photos.device).view(-1, 1, 1, 1)
        linear = torch.where(is_sharp, to_linear(clean), linear)
        return self._camera(linear, generator), clean

    def _video_frames(self, generator: Generator) -> int:
        """Return how many frames of a video are averaged; 0: it is a camera's exposure."""
        if not self.video_share or not chosen(generator, 1, self.video_share).item():
            return 0
        fewest, most = self.video_frames
        return int(torch.randint(fewest, most + 1, (), generator=generator))

    def _scene(self, photos: Tensor, generator: Generator) -> Tensor:
        n = photos.shape[0]
        factor = uniform(generator, (n,), *self.highlight_factor)
        factor = torch.where(chosen(generator, n, self.highlight_share), factor, 1.0)
        return lift_highlights(to_linear(photos), factor.to(photos))

    def _defocus(self, scene: Tensor, generator: Generator) -> Tensor:
        n = scene.shape[0]
        radius = uniform(generator, (n,), *self.defocus_radius)
        which = chosen(generator, n, self.defocus_share).nonzero().flatten()
        if not len(which):
            return scene
        scene = scene.clone()
        scene[which] = convolve(scene[which], disc_kernels(radius[which]))
        return scene

    def _soften(self, scene: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return the scene as the lens draws it, and which pictures (n,) nothing moves in."""
        n = scene.shape[0]
        if not self.soft_share:  # and draw nothing
            return scene, torch.zeros(n, dtype=torch.bool)
        longer = log_uniform(generator, (n,), *self.soft_sigma)
        shorter = longer * uniform(generator, (n,), *self.soft_aspect)
        angle = uniform(generator, (n,), 0.0, math.pi)
        is_soft = chosen(generator, n, self.soft_share)
        is_still = is_soft & chosen(generator, n, self.still_share)
        scene = scene.clone()
        for i in is_soft.nonzero().flatten():  # one by one: the widest is much wider than most
            kernel = oval_kernels(torch.stack([longer[i], shorter[i]]).view(1, 2), angle[i : i + 1])
            scene[i : i + 1] = convolve(scene[i : i + 1], kernel)
        return scene, is_still

    def _expose(
        self,
        scene: Tensor,
        generator: Generator,
        size: int,
        video_frames: int,
        is_still: Tensor,
    ) -> Tensor:
        n, frames = scene.shape[0], video_frames or self.frames
        extent = log_uniform(generator, (n,), *self.shake_extent)
        extent = torch.where(is_still, 0.0, extent)
        is_at_middle = chosen(generator, n, 1.0 if video_frames else self.middle_share)
        camera = hand_shake(generator, extent, frames, size, is_at_middle)
        blurred = mean_of_frames(scene, camera, size)

        layer_extent = log_uniform(generator, (n,), *self.layer_extent)
        layer_extent = torch.where(is_still, 0.0, layer_extent)
        path = smooth_paths(generator, n, 2, frames, is_at_middle)
        path = with_extent(path, layer_extent)
        masks = soft_masks(generator, n, scene.shape[-1])
        which = chosen(generator, n, self.layer_share).nonzero().flatten()
        if not len(which):
            return blurred
        # The layer's own path on top of the camera's; its mask moves and smears with it.
        moved = camera[which].clone()
        moved[..., :2, 2] += path[which].transpose(1, 2)
        layer = torch.cat([scene[which], masks[which].to(scene)], dim=1)
        layer[:, :3] *= layer[:, 3:]
        layer = mean_of_frames(layer, moved, size)
        blurred[which] = layer[:, :3] + blurred[which] * (1 - layer[:, 3:])
        return blurred

    def _camera(self, linear: Tensor, generator: Generator) -> Tensor:
        n = linear.shape[0]
        is_noisy = chosen(generator, n, self.noise_share)
        shot = torch.where(is_noisy, log_uniform(generator, (n,), *self.noise_shot), 0.0)
        read = torch.where(is_noisy, log_uniform(generator, (n,), *self.noise_read), 0.0)
        noisy = poisson_gaussian(generator, linear, shot, read).clamp(0, 1)
        shown = (to_display(noisy) * 255).round() / 255
        return sometimes_jpeg(generator, shown, self.jpeg_share, self.jpeg_quality)
