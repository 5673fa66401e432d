"""Padding to the size a network needs, and back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(image: Tensor, multiple_of: int) -> Tensor:
    """Return an image extended at bottom and right, so that both sides are multiples.

    The extension mirrors the image without repeating its last row; where the image is too small
    for that, the last row or column is repeated.

    Args:
        image: (N, C, H, W), at least 1×1.
        multiple_of: 1 or more.
    """
    bottom, right = -image.shape[-2] % multiple_of, -image.shape[-1] % multiple_of
    if not bottom and not right:
        return image
    mirrored_bottom = min(bottom, image.shape[-2] - 1)
    mirrored_right = min(right, image.shape[-1] - 1)
    image = F.pad(image, (0, mirrored_right, 0, mirrored_bottom), mode="reflect")
    rest = (0, right - mirrored_right, 0, bottom - mirrored_bottom)
    return F.pad(image, rest, mode="replicate") if any(rest) else image


def crop_like(image: Tensor, original: Tensor) -> Tensor:
    """Return ``image`` cut at bottom and right to the height and width of ``original``."""
    return image[..., : original.shape[-2], : original.shape[-1]]
