"""What JPEG does to pixels, as tensor arithmetic."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from restore_cli.degradations.random import chosen, uniform

# Quantisation of luminance and chrominance at quality 50: ITU-T T.81, tables K.1 and K.2.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_CORNER = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Return the images as a JPEG encoder and decoder would leave them, chroma halved (4:2:0).

    Args:
        images: (N, 3, H, W) sRGB in [0, 1], H and W multiples of 16.
        quality: (N,) 1 to 100 on the scale of the Independent JPEG Group.

    Raises:
        ValueError: H or W is not a multiple of 16.

    Source: ITU-T T.81 annex A.3.3 (transform) and K.1 (tables).
    """
    if images.shape[-2] % 16 or images.shape[-1] % 16:
        raise ValueError(f"sides {tuple(images.shape[-2:])} are not multiples of 16")
    matrix = torch.tensor(_TO_YCC, device=images.device, dtype=images.dtype)
    ycc = torch.einsum("ij,njhw->nihw", matrix, images * 255) - images.new_tensor(
        [128.0, 0.0, 0.0]
    ).view(1, 3, 1, 1)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).to(images)
    luma = _coded(ycc[:, :1], _table(_LUMA, percent))
    chroma_table = images.new_full((8, 8), 99.0)
    chroma_table[:4, :4] = images.new_tensor(_CHROMA_CORNER)
    small = F.avg_pool2d(ycc[:, 1:], 2)
    chroma = _coded(small, _table(chroma_table.tolist(), percent))
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    ycc = torch.cat([luma + 128, chroma], dim=1)
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), ycc)
    return rgb.round().clamp(0, 255) / 255


def sometimes_jpeg(
    generator: Generator, images: Tensor, share: float, quality: tuple[float, float]
) -> Tensor:
    """Return images of which some went through JPEG.

    Args:
        generator: the source of randomness.
        images: (N, C, H, W) sRGB, C 1 or 3; not changed. With a share above 0, H and W are
            multiples of 16; JPEG clips to [0, 1].
        share: the probability of each.
        quality: range that each image's quality is drawn from, 1 to 100.
    """
    n, channels = images.shape[:2]
    drawn = uniform(generator, (n,), *quality).to(images)
    which = chosen(generator, n, share).nonzero().flatten()
    if not len(which):
        return images
    coded = images.clone()
    coded[which] = jpeg(images[which].clamp(0, 1).expand(-1, 3, -1, -1), drawn[which])[:, :channels]
    return coded


def _table(base: tuple[tuple[int, ...], ...] | list[list[float]], percent: Tensor) -> Tensor:
    """Return (N, 8, 8) divisors at each image's percentage of the base table."""
    scaled = percent.new_tensor(base) * percent.view(-1, 1, 1) / 100
    return scaled.add(0.5).floor().clamp(1, 255)


def _coded(planes: Tensor, table: Tensor) -> Tensor:
    """Quantise (N, C, H, W) planes, values about 0, in the cosine transform of 8×8 blocks."""
    n, c, height, width = planes.shape
    k = torch.arange(8, device=planes.device, dtype=planes.dtype)
    dct = torch.cos((2 * k.view(1, -1) + 1) * k.view(-1, 1) * (math.pi / 16)) / 2
    dct[0] /= math.sqrt(2)
    blocks = planes.view(n, c, height // 8, 8, width // 8, 8).transpose(3, 4)
    step = table.view(n, 1, 1, 1, 8, 8)
    coefficients = ((dct @ blocks @ dct.T) / step).round() * step
    return (dct.T @ coefficients @ dct).transpose(3, 4).reshape(n, c, height, width)
