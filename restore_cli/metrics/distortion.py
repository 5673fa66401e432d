"""PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def psnr_db(pred: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each image in dB; the peak is 1.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape.

    Returns:
        (N,) float64; infinite where the images are equal.

    Raises:
        ValueError: the shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    error = (pred.double() - target.double()).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error)


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of each image, channels averaged.

    Gaussian window of 11 pixels, sigma 1.5, K = (0.01, 0.03), peak 1.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape.

    Returns:
        (N,) float32, 1 where the images are equal.

    Source: Wang et al., "Image quality assessment", IEEE TIP 2004, section III.
    """
    # In float32: in float64 torch's depthwise convolution is some fifty times slower.
    value = structural_similarity_index_measure(
        pred.float(), target.float(), data_range=1.0, reduction="none"
    )
    if not isinstance(value, Tensor):  # a tuple only when maps are asked for
        raise TypeError("torchmetrics returned maps nobody asked for")
    return value.reshape(-1)
