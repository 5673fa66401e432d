"""Knows how much memory images take beside the network, and keeps the user's limit.

The figures were measured as the process's peak (ru_maxrss) on Linux, x86-64, with torch 2.13 for
the CPU, less the network's own memory (``engine/memory.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from restore_cli.errors import DeviceError
from restore_cli.imaging.image import Image

MIB = 2**20

# The program with its libraries takes this much.
PROGRAM_BYTES = 300 * MIB
# Weights are in memory several times: as read, as a network, prepared for inference, and in the
# layouts that each worker's convolutions make. On two cores 3.4 (bf16) to 5 (fp32) times the file.
WEIGHTS_COPIES = 4.5

# Share of a limit that plans may use: real peaks were up to 5 % above what these figures say.
PLANNED_SHARE = 0.92

# A network needs this much for small tiles.
_SMALL_NETWORK = 256 * MIB

# Copies of an image as float32 (with alpha) while it is decoded or encoded: rounding to integers
# needs a copy more, and joining alpha another.
_FLOAT_COPIES, _INTEGER_COPIES, _ALPHA_COPIES = 3.2, 4.4, 1.4
# Copies while the network works: the image, and its restored part.
_WORKING_COPIES = 2.2

# TIFFs with more pixels are restored in strips. Below, the image takes no more memory than the
# network.
STREAM_PIXELS = 20_000_000
# Limit for a TIFF in strips where the user has set none: just less than 1.5 GB.
STREAM_LIMIT_BYTES = 1430 * MIB

# Strips that are converted and compressed, and windows on their way to the network.
_STREAM_FIXED_BYTES = 80 * MIB


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """Memory that an image takes as a whole, beside the program and the network."""

    working: int  # while the network works
    coding: int  # while it is decoded or encoded; the network rests then

    @staticmethod
    def of(image: Image, scale: int = 1) -> ImageBytes:
        """Return the memory of an image that is restored at ``scale`` times its size."""
        samples = image.pixels.shape[2] + (image.alpha is not None)
        return ImageBytes.of_size(
            image.width * scale,
            image.height * scale,
            samples,
            is_float=image.depth == "float32",
            has_alpha=image.alpha is not None,
        )

    @staticmethod
    def of_size(
        width: int,
        height: int,
        samples: int = 3,
        *,
        is_float: bool = False,
        has_alpha: bool = False,
    ) -> ImageBytes:
        """Return the memory of an image of this size; by default of three channels of integers."""
        one = 4 * width * height * samples
        copies = _FLOAT_COPIES if is_float else _INTEGER_COPIES
        return ImageBytes(
            int(_WORKING_COPIES * one), int((copies + has_alpha * _ALPHA_COPIES) * one)
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """The memory that the process may take, and the program's own part of it."""

    program_bytes: int
    limit_bytes: int | None = None  # set by the user

    def fits(self, image: ImageBytes) -> bool:
        """Return whether an image may be loaded as a whole."""
        if self.limit_bytes is None:
            return True
        return self.peak(image, _SMALL_NETWORK) <= PLANNED_SHARE * self.limit_bytes

    def check(self, image: ImageBytes) -> None:
        """Refuse an image that may not be loaded as a whole.

        Raises:
            DeviceError: it takes more than the limit.
        """
        if self.limit_bytes is not None and self.peak(image, 0) > self.limit_bytes:
            raise self.too_small(self.peak(image, _SMALL_NETWORK))

    def peak(self, image: ImageBytes, network_bytes: int) -> int:
        """Return the process's peak when it restores an image as a whole."""
        return self.program_bytes + max(image.coding, image.working + network_bytes)

    def too_small(self, need_bytes: int) -> DeviceError:
        """Return the error for an image that needs more than the limit."""
        what = f"needs {readable(need_bytes)} of memory, --max-memory is {self._limit}"
        return DeviceError(
            what, hint=f"the least that works is --max-memory {readable(need_bytes)}"
        )

    @property
    def _limit(self) -> str:
        return readable(self.limit_bytes or 0)


def program_bytes(weights_bytes: int) -> int:
    """Return the memory of the program with a model loaded.

    Args:
        weights_bytes: size of the weights file.
    """
    return PROGRAM_BYTES + int(WEIGHTS_COPIES * weights_bytes)


def strips_bytes(cache_bytes: int) -> int:
    """Return the memory that a TIFF in strips takes, beside the program and the method.

    Args:
        cache_bytes: of decoded strips or tiles of the file that are kept.
    """
    return cache_bytes + _STREAM_FIXED_BYTES


def readable(size: int) -> str:
    """Return a size as ``--max-memory`` reads it, rounded up: ``300M``, ``1.1G``."""
    mib = -(-size // MIB)
    return f"{mib}M" if mib < 1024 else f"{-(-10 * mib // 1024) / 10:g}G"
