"""Random crops and changes of a photo; a pair of photos is always treated alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Photo = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to a training crop; shares are probabilities."""

    # The photo is resized by a factor of this range first. Enlarged, it is as soft at pixel level
    # as what cameras deliver; a network that only saw crisp targets is lost there.
    scale: tuple[float, float] = (1.0, 1.0)
    flips: str = "horizontal"  # none, horizontal, all eight flips and turns, or mprnet
    colour: float = 0.0  # largest relative change of a channel's gain, and of gamma
    grey_share: float = 0.0
    # MPRNet's code also offers a change of gamma, but by the exponent 1; it is left out.
    saturation_share: float = 0.0
    saturation: tuple[float, float] = (0.8, 1.2)  # distance from grey, relative
    text_share: float = 0.0  # of the photos that are replaced by a drawn page of text
    detail_candidates: int = 1  # crops looked at; the one with most detail is taken

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 4:
            raise ValueError(f"scale {self.scale} is not a range in (0, 4]")
        if self.flips not in ("none", "horizontal", "all", "mprnet"):
            raise ValueError(f"flips {self.flips!r} is not none, horizontal, all or mprnet")
        if not 0 <= self.saturation[0] <= self.saturation[1]:
            raise ValueError(f"saturation {self.saturation} is not a range above 0")
        if self.detail_candidates < 1:
            raise ValueError(f"detail_candidates {self.detail_candidates} is less than 1")


def random_crop(
    photos: tuple[Photo, ...], side: int, augmentation: Augmentation, rng: Generator
) -> tuple[Tensor, ...]:
    """Cut the same random square from each photo and change all of them alike.

    Args:
        photos: (H, W, 3) of equal size; smaller than ``side`` they are reflected at the borders.
        side: of the result in pixels.
        augmentation: what may happen.
        rng: the only source of randomness.

    Returns:
        (3, side, side) float32 in [0, 1] for each photo.
    """
    height, width = photos[0].shape[:2]
    factor = np.exp(rng.uniform(*np.log(augmentation.scale)))
    # Shrink no further than the photo is large; what is too small even so is reflected.
    factor = max(factor, min(1.0, side / min(height, width)))
    window = max(1, round(side / factor))
    photos = tuple(_grown(photo, window) for photo in photos)
    top, left = _place(photos[-1], window, augmentation.detail_candidates, rng)

    crops = [photo[top : top + window, left : left + window] for photo in photos]
    crops = _turned(crops, augmentation.flips, rng)
    tensors = [torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1) for crop in crops]
    images = [tensor.float() / 255 for tensor in tensors]
    if window != side:
        images = [_resized(image, side) for image in images]
    return tuple(_coloured(images, augmentation, rng))


def _grown(photo: Photo, side: int) -> Photo:
    """Reflect a photo at its bottom and right until both sides reach ``side``."""
    missing = [max(0, side - length) for length in photo.shape[:2]]
    if not any(missing):
        return photo
    return np.pad(photo, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def _place(photo: Photo, side: int, candidates: int, rng: Generator) -> tuple[int, int]:
    """Return the corner of the most detailed of some random squares."""
    best, place = -1.0, (0, 0)
    for _ in range(candidates):
        top = int(rng.integers(photo.shape[0] - side + 1))
        left = int(rng.integers(photo.shape[1] - side + 1))
        if candidates == 1:
            return top, left
        green = photo[top : top + side : 2, left : left + side : 2, 1].astype(np.int16)
        detail = float(
            np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean()
        )
        if detail > best:
            best, place = detail, (top, left)
    return place


def _turned(crops: list[Photo], flips: str, rng: Generator) -> list[Photo]:
    if flips == "mprnet":
        return _turned_as_mprnet(crops, int(rng.integers(9)))
    if flips != "none" and rng.random() < 0.5:
        crops = [crop[:, ::-1] for crop in crops]
    if flips == "all":
        turns = int(rng.integers(4))
        crops = [np.rot90(crop, turns) for crop in crops]
    return crops


def _turned_as_mprnet(crops: list[Photo], choice: int) -> list[Photo]:
    """Apply one of nine equally likely choices, the first and last of which change nothing.

    Source: settings of MPRNet's training code; the paper says flips and rotations only.
    """
    if choice in (2, 7):
        crops = [crop[:, ::-1] for crop in crops]
    if choice in (1, 6):
        crops = [crop[::-1] for crop in crops]
    turns = {3: 1, 4: 2, 5: 3, 6: 1, 7: 1}.get(choice, 0)
    return [np.rot90(crop, turns) for crop in crops]


def _resized(image: Tensor, side: int) -> Tensor:
    small = F.interpolate(image[None], (side, side), mode="bicubic", antialias=True)
    return small[0].clamp(0, 1)


def _coloured(images: list[Tensor], augmentation: Augmentation, rng: Generator) -> list[Tensor]:
    if augmentation.grey_share and rng.random() < augmentation.grey_share:
        images = [image.mean(dim=0, keepdim=True).expand(3, -1, -1) for image in images]
    if augmentation.colour:
        change = augmentation.colour
        gain = torch.from_numpy(rng.uniform(1 - change, 1, 3).astype(np.float32)).view(3, 1, 1)
        gamma = float(np.exp(rng.uniform(-change, change)))
        images = [image.clamp(min=1e-6) ** gamma * gain for image in images]
    if augmentation.saturation_share and rng.random() < augmentation.saturation_share:
        factor = float(rng.uniform(*augmentation.saturation))
        images = [_saturated(image, factor) for image in images]
    return images


def _saturated(image: Tensor, factor: float) -> Tensor:
    grey = (image * image.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(dim=0, keepdim=True)
    return (grey + factor * (image - grey)).clamp(0, 1)
