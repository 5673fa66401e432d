"""The pictures of a test set: pairs from files, or clean ones that are degraded here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore_cli.data.pairs import PAIR_FOLDERS, PAIR_WORDS, Pair, list_folder
from restore_cli.degradations.optics import convolve
from restore_cli.engine.channels import Pixels
from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.reading import read_image

# Which task undoes what is in the first folder of a pair; deblurring where that is not known.
FOLDER_TASKS = {"blur": "deblur", "noisy": "denoise", "rain": "derain", "low": "enhance"}
_TASK = "deblur"

# BT.601, as the grey pictures of BSD68 were made from the colour ones.
_LUMA = np.array([0.298936, 0.587043, 0.114021])

_KERNEL_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Degrading:
    """What is done to clean pictures; nothing of it goes with pairs.

    ``as_they_are`` takes clean pictures for degraded ones, to see what a method does to them; of
    pairs it takes the clean ones.
    """

    noise_sigma_8bit: float = 0.0
    kernels: tuple[Path, ...] = ()  # .npy files
    as_they_are: bool = False

    @property
    def does_something(self) -> bool:
        return self.noise_sigma_8bit > 0 or bool(self.kernels)

    def noise(self, number: int, clean: Pixels) -> Pixels:
        """Return what is added to the picture of that number."""
        if not self.noise_sigma_8bit:
            return np.zeros_like(clean)
        noise = np.random.default_rng(number).standard_normal(clean.shape).astype(np.float32)
        scaled: Pixels = noise * np.float32(self.noise_sigma_8bit / 255)
        return scaled


@dataclass(frozen=True, slots=True)
class Sample:
    """One degraded picture and its clean one, (H, W, 1) or (H, W, 3).

    The degraded one may go beyond [0, 1], as noise does.
    """

    name: str
    degraded: Pixels
    clean: Pixels
    kernel: Pixels | None = None  # (k, k), that blurred it here


@dataclass(frozen=True, slots=True)
class PictureSet:
    """A folder of pictures to be measured on; pixels are read one picture at a time."""

    name: str
    folder: Path
    pairs: tuple[Pair, ...]  # of clean pictures both files are the same
    degrading: Degrading
    grey: bool
    strays: tuple[Path, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the samples are called, in their order."""
        pictures = [_name(pair, self.folder) for pair in self.pairs]
        if not self.degrading.kernels:
            return tuple(pictures)
        return tuple(
            f"{name} x {file.stem}" for name in pictures for file in self.degrading.kernels
        )

    @property
    def paths_below(self) -> tuple[str, ...]:
        """Return the degraded files' paths in the folder, without suffix, one for each name."""
        copies = max(1, len(self.degrading.kernels))
        paths = [pair.degraded.relative_to(self.folder).with_suffix("") for pair in self.pairs]
        return tuple(path.as_posix() for path in paths for _ in range(copies))

    @property
    def task(self) -> str:
        """Return the task that these pictures are for."""
        if self.degrading.kernels:
            return "deblur"
        if self.degrading.noise_sigma_8bit:
            return "denoise"
        if PAIR_WORDS[0] in self.pairs[0].degraded.name:
            return "denoise"
        parts = self.pairs[0].degraded.absolute().parts
        return next((FOLDER_TASKS[part] for part in reversed(parts) if part in FOLDER_TASKS), _TASK)

    def samples(self) -> Iterator[Sample]:
        """Yield the pictures in name order.

        The noise of the i-th one, from 0, is drawn with the seed i; it is the same whatever the
        kernel. Borders are mirrored before a kernel blurs.

        Raises:
            ImageError: a file cannot be read, holds values that cannot be compared, or differs
                from its partner in size.
        """
        names = iter(self.names)
        kernels = [read_kernel(file) for file in self.degrading.kernels]
        for number, pair in enumerate(self.pairs):
            clean = self._read(pair.clean)
            if clean.min() < 0 or clean.max() > 1:
                hint = "PSNR needs clean pictures from black 0 to white 1"
                raise ImageError("has values beyond [0, 1]", path=pair.clean, hint=hint)
            if pair.degraded != pair.clean:
                yield Sample(next(names), _like(self._read(pair.degraded), clean, pair), clean)
                continue
            noise = self.degrading.noise(number, clean)
            if not kernels:
                yield Sample(next(names), clean + noise, clean)
            for kernel in kernels:
                degraded = _blurred(clean, kernel, pair.clean) + noise
                yield Sample(next(names), degraded, clean, kernel.numpy())

    def _read(self, path: Path) -> Pixels:
        pixels = read_image(path).pixels
        if not np.isfinite(pixels).all():
            raise ImageError("has values that are not finite", path=path)
        return as_grey(pixels) if self.grey else pixels


def find_pictures(
    folder: Path, degrading: Degrading, *, grey: bool = False, limit: int | None = None
) -> PictureSet:
    """Return the pictures of a folder, which holds pairs or clean pictures to be degraded.

    Args:
        folder: with folders for pairs at any depth, or with clean pictures.
        degrading: what to do to clean ones.
        grey: make colour pictures grey before anything else.
        limit: take the first so many only, in name order.

    Raises:
        UsageError: no folder, no images, or pairs that were to be degraded further.
        ImageError: there are no pairs, and nothing is to be done to the pictures either.
    """
    listing = list_folder(folder)
    pairs = listing.pairs
    if pairs and degrading.as_they_are:
        pairs = tuple(Pair(pair.clean, pair.clean) for pair in pairs)
    elif pairs and degrading.does_something:
        hint = f"name the folder of clean ones, such as {pairs[0].clean.parent}"
        raise UsageError("these pictures are degraded already", path=folder, hint=hint)
    elif not pairs:
        if not degrading.does_something and not degrading.as_they_are:
            known = ", ".join(f"{left}/ and {right}/" for left, right in PAIR_FOLDERS[:3])
            hint = f"pairs lie in {known}, …; clean pictures need --noise, --kernels or --clean"
            raise ImageError("no pairs in this folder", path=folder, hint=hint)
        pairs = tuple(Pair(photo, photo) for photo in listing.photos)
    return PictureSet(str(folder), folder, pairs[:limit], degrading, grey, listing.strays)


def find_kernels(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return kernel files as named, and those in folders in name order.

    Raises:
        UsageError: there are none.
    """
    found: list[Path] = []
    for path in paths:
        files = sorted(path.glob("*.npy")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            raise UsageError("no kernels here", path=path, hint="name a .npy file or their folder")
        found += files
    return tuple(found)


def read_kernel(path: Path) -> Tensor:
    """Return a blur kernel, square and of odd side, so that it has a centre.

    Raises:
        UsageError: it is no array of two dimensions that sums to 1.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError("cannot be read as a kernel (.npy)", path=path) from error
    if values.ndim != 2 or abs(float(values.sum()) - 1) > _KERNEL_SUM_TOLERANCE:
        what = f"is no kernel: {values.shape}, sum {float(values.sum()):.4g} instead of 1"
        raise UsageError(what, path=path)
    kernel = torch.from_numpy(values.astype(np.float32))
    side = max(kernel.shape) + 1 - max(kernel.shape) % 2
    grow = [side - length for length in kernel.shape]
    top, left = (grow[0] + 1) // 2, (grow[1] + 1) // 2
    return torch.nn.functional.pad(kernel, (left, grow[1] - left, top, grow[0] - top))


def as_grey(pixels: Pixels) -> Pixels:
    """Return (H, W, 1): grey as it is, colour weighted and rounded to a step of 8 bits.

    Source: equal to the usual grey BSD68 files for the colour ones.
    """
    if pixels.shape[2] == 1:
        return pixels
    levels = np.floor((pixels * 255) @ _LUMA + 0.5)[..., None]
    grey: Pixels = (levels / 255).astype(np.float32)
    return grey


def _name(pair: Pair, folder: Path) -> str:
    """Return a pair's path in the folder, without suffix and without what its halves differ in."""
    left = pair.degraded.relative_to(folder).with_suffix("")
    right = pair.clean.relative_to(folder).with_suffix("")
    kept = [a for a, b in zip(left.parts[:-1], right.parts[:-1], strict=True) if a == b]
    return Path(*kept, left.name).as_posix()


def _like(degraded: Pixels, clean: Pixels, pair: Pair) -> Pixels:
    if degraded.shape == clean.shape:
        return degraded
    what = f"is {_size(degraded)}, its clean one {_size(clean)}"
    raise ImageError(what, path=pair.degraded, hint=str(pair.clean))


def _size(pixels: Pixels) -> str:
    height, width, channels = pixels.shape
    return f"{width}x{height} {'grey' if channels == 1 else 'RGB'}"


def _blurred(clean: Pixels, kernel: Tensor, path: Path) -> Pixels:
    if kernel.shape[-1] // 2 >= min(clean.shape[:2]):
        raise ImageError(f"is smaller than a kernel of {kernel.shape[-1]} pixels", path=path)
    image = torch.from_numpy(np.ascontiguousarray(clean)).permute(2, 0, 1)[None]
    blurred: Pixels = convolve(image, kernel[None])[0].permute(1, 2, 0).contiguous().numpy()
    return blurred
