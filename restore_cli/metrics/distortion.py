"""PSNR and SSIM.

Both go through an image in bands of rows: the memory they need depends on its width only.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

SSIM_WINDOW = 11  # pixels; smaller images have no SSIM

_BAND_PIXELS = 2**19


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
    error = torch.zeros(len(pred), dtype=torch.float64, device=pred.device)
    for top, bottom in _bands(pred):
        difference = pred[..., top:bottom, :].double() - target[..., top:bottom, :].double()
        error += difference.square().sum(dim=(1, 2, 3))
    return -10 * torch.log10(error / pred[0].numel())


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of each image, channels averaged.

    Gaussian window of 11 pixels, sigma 1.5, K = (0.01, 0.03), peak 1; borders are mirrored, so
    that every pixel has its window.

    Args:
        pred: (N, C, H, W), intensities in [0, 1].
        target: same shape.

    Returns:
        (N,) float64, 1 where the images are equal.

    Raises:
        ValueError: the shapes differ, or a side is shorter than the window.

    Source: Wang et al., "Image quality assessment", IEEE TIP 2004, section III.
    """
    if pred.shape != target.shape or min(pred.shape[-2:]) < SSIM_WINDOW:
        what = f"pred {tuple(pred.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"{what} differ or are smaller than {SSIM_WINDOW} pixels")
    height, reach = pred.shape[-2], SSIM_WINDOW // 2
    total = torch.zeros(len(pred), dtype=torch.float64, device=pred.device)
    for top, bottom in _bands(pred):
        # With what its outer rows look at; only the image's own borders are mirrored.
        first, last = max(0, top - reach), min(height, bottom + reach)
        similarity = _ssim_map(pred[..., first:last, :], target[..., first:last, :])
        inner = similarity[..., top - first : bottom - first, :]
        total += inner.sum(dim=(1, 2, 3), dtype=torch.float64)
    return total / pred[0].numel()


def _bands(image: Tensor) -> Iterator[tuple[int, int]]:
    """Yield first and last row of bands that are high enough for a window."""
    height = image.shape[-2]
    count = max(1, height // max(SSIM_WINDOW, _BAND_PIXELS // image.shape[-1]))
    for number in range(count):
        yield height * number // count, height * (number + 1) // count


def _ssim_map(pred: Tensor, target: Tensor) -> Tensor:
    # In float32: in float64 torch's depthwise convolution is some fifty times slower.
    result = structural_similarity_index_measure(
        pred.float(), target.float(), data_range=1.0, reduction="none", return_full_image=True
    )
    if not isinstance(result, tuple):  # a single tensor only when no map is asked for
        raise TypeError("torchmetrics returned no map")
    return result[1]
