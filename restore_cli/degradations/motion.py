"""Camera and object motion during an exposure: trajectories, and the mean of what they show."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from restore_cli.degradations.random import log_uniform, uniform


def smooth_paths(
    generator: Generator, n: int, channels: int, frames: int, is_at_middle: Tensor
) -> Tensor:
    """Return random smooth paths (n, channels, frames) about 0.

    A velocity that forgets its past slowly, plus a constant drift: hand tremor between a
    straight pull and a curl. The scale is arbitrary; callers set the extent.

    Args:
        generator: the source of randomness.
        n: number of exposures.
        channels: independent components of the path.
        frames: sub-frames in an exposure.
        is_at_middle: (n,) bool; 0 is where the path is at half time, else its mean.
    """
    # From a shaking hand at a long exposure to the nearly straight pull of a short one.
    memory = 1 - log_uniform(generator, (n, 1), 0.002, 0.5)
    drift = torch.randn(n, channels, generator=generator) * uniform(generator, (n, 1), 0.0, 1.5)
    velocity = torch.randn(n, channels, generator=generator)
    steps = []
    for _ in range(frames):
        kick = torch.randn(n, channels, generator=generator)
        velocity = memory * velocity + (1 - memory.square()).sqrt() * kick
        steps.append(velocity + drift)
    path = torch.stack(steps, dim=-1).cumsum(dim=-1)
    middle, mean = path[..., frames // 2], path.mean(dim=-1)
    return path - torch.where(is_at_middle.view(-1, 1), middle, mean).unsqueeze(-1)


def with_extent(path: Tensor, extent: Tensor) -> Tensor:
    """Scale planar paths (n, 2, frames) so that the longer side of their box is ``extent`` (n,)."""
    box = (path.amax(dim=-1) - path.amin(dim=-1)).amax(dim=1)
    return path * (extent / box.clamp(min=1e-6)).view(-1, 1, 1)


def hand_shake(
    generator: Generator, extent: Tensor, frames: int, side: int, is_at_middle: Tensor
) -> Tensor:
    """Return the camera's motion as homographies (n, frames, 3, 3) about the image centre.

    Six degrees of freedom: two shifts (which also stand for pitch and yaw far from the lens
    axis), roll, dolly, and the two perspective terms of pitch and yaw. Roll, dolly and
    perspective move the corners of the picture by a fraction of what the shift moves it, so the
    blur varies over the picture.

    Args:
        generator: the source of randomness.
        extent: (n,) longer side of the shift's box in pixels.
        frames: sub-frames in an exposure.
        side: size of the picture in pixels, which makes angles of pixels.
        is_at_middle: (n,) bool, see :func:`smooth_paths`.
    """
    n = extent.shape[0]
    path = smooth_paths(generator, n, 6, frames, is_at_middle)
    shift = with_extent(path[:, :2], extent)
    spread = path[:, 2:].abs().amax(dim=-1, keepdim=True).clamp(min=1e-6)
    # Extents of the turning parts at the corners, relative to the shift.
    share = uniform(generator, (n, 4, 1), 0.0, 1.0) * torch.tensor([[0.5], [0.3], [0.25], [0.25]])
    turn = path[:, 2:] / spread * share * extent.view(-1, 1, 1) / side
    roll, dolly, tilt_x, tilt_y = turn.unbind(dim=1)

    homography = torch.zeros(n, frames, 3, 3)
    homography[..., 0, 0] = roll.cos() * (1 + dolly)
    homography[..., 0, 1] = -roll.sin() * (1 + dolly)
    homography[..., 1, 0] = roll.sin() * (1 + dolly)
    homography[..., 1, 1] = roll.cos() * (1 + dolly)
    homography[..., 0, 2] = shift[:, 0]
    homography[..., 1, 2] = shift[:, 1]
    homography[..., 2, 0] = tilt_x / side
    homography[..., 2, 1] = tilt_y / side
    homography[..., 2, 2] = 1
    return homography


def mean_of_frames(images: Tensor, homographies: Tensor, size: int) -> Tensor:
    """Return the mean over an exposure of the images seen through each homography.

    Args:
        images: (n, c, H, W), larger than the result, so that motion finds pixels at the borders.
        homographies: (n, frames, 3, 3) in pixels about the centre of the image.
        size: side of the result, cut from the centre.

    Returns:
        (n, c, size, size).
    """
    n, _, height, width = images.shape
    axis = torch.arange(size, dtype=images.dtype, device=images.device) - (size - 1) / 2
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    # Enlarged once, so that each frame can be read bilinearly without a softness of its own, which
    # a network would learn to undo; reading bicubically takes four times as long.
    images = _with_halves(_with_halves(images, -1), -2)
    total = images.new_zeros(n, images.shape[1], size, size)
    for h in homographies.to(images).unbind(dim=1):
        a = h.view(n, 9, 1, 1).unbind(dim=1)
        scale = 1 / (a[6] * x + a[7] * y + a[8])
        u = (a[0] * x + a[1] * y + a[2]) * scale
        v = (a[3] * x + a[4] * y + a[5]) * scale
        grid = torch.stack([u * (2 / (width - 1)), v * (2 / (height - 1))], dim=-1)
        total += F.grid_sample(
            images, grid, mode="bilinear", padding_mode="border", align_corners=True
        )
    return total / homographies.shape[1]


def _with_halves(images: Tensor, dim: int) -> Tensor:
    """Return images with the values halfway between neighbours put in, along the last or next axis.

    The same as F.interpolate(…, mode="bicubic", align_corners=True) to 2n - 1 values in a fifth of
    its time.
    """
    n = images.shape[dim]
    last = images.narrow(dim, n - 1, 1)
    extended = torch.cat([images.narrow(dim, 0, 1), images, last], dim)
    first, second, third, fourth = (extended.narrow(dim, i, n - 1) for i in range(4))
    # Cubic convolution with a = -0.75 at one half.
    between = (second + third).mul_(0.59375).sub_(first + fourth, alpha=0.09375)
    pairs = torch.stack([images.narrow(dim, 0, n - 1), between], dim)
    return torch.cat([pairs.flatten(dim - 1, dim), last], dim)


def soft_masks(generator: Generator, n: int, side: int) -> Tensor:
    """Return smooth random regions (n, 1, side, side) in [0, 1] with soft borders."""
    cells = torch.randn(n, 1, 5, 5, generator=generator)
    field = F.interpolate(cells, size=(side, side), mode="bicubic", align_corners=True)
    level = uniform(generator, (n, 1, 1, 1), -0.3, 0.6)
    edge = uniform(generator, (n, 1, 1, 1), 8.0, 60.0)
    return torch.sigmoid((field - level) * edge)
