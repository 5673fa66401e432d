"""How much memory restoring an image takes beside the network: measured, as data.

Measured as the process's peak (ru_maxrss) on Linux, x86-64, with torch 2.13 for the CPU, less what
the network takes by ``engine/memory.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from restore_cli.errors import DeviceError
from restore_cli.imaging.image import Image

MIB = 2**20

# The program with its libraries.
PROGRAM_BYTES = 300 * MIB
# Of a weights file: as it was read, as a network, as that is prepared for inference, and in the
# layouts that the convolutions of each worker make of it. On two cores 3.4 (bf16) to 5 (fp32).
WEIGHTS_COPIES = 4.5

# Of a limit, what is planned with: what these figures say was up to 5 % less than what happened.
PLANNED_SHARE = 0.92

# What a network needs for small tiles.
_SMALL_NETWORK = 256 * MIB

# The float32 copies of an image, alpha too, that are alive together while a file is encoded:
# integers are rounded in one of their own, and alpha has to be joined.
_FLOAT_COPIES, _INTEGER_COPIES, _ALPHA_COPIES = 3.2, 4.4, 1.4
# While the network works: the image, and what is restored of it.
_WORKING_COPIES = 2.2

# The least TIFF that is restored in parts if nothing else says so: below, the image in memory
# takes no more than the network.
STREAM_PIXELS = 20_000_000
# What restoring in parts may take where the user has not set it: just less than 1.5 GB.
STREAM_LIMIT_BYTES = 1430 * MIB

# Of a row of tiles as float32, what is held: its rows that are not finished, and a few that are, as
# they are checked and made ready.
_ROW_COPIES = 1.6
# Likewise, of a coarser image: these, its rows before they are restored, and what has changed.
_COARSE_COPIES = 4.0
# Strips that are made ready and compressed, and windows on their way to the network.
_STREAM_FIXED_BYTES = 80 * MIB


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """What an image takes, in memory as a whole, beside the program and the network."""

    working: int  # while the network works
    coding: int  # while it is decoded or encoded, and the network is not at work

    @staticmethod
    def of(image: Image, scale: int = 1) -> ImageBytes:
        """Return what an image takes that is restored at ``scale`` times its size."""
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
        """Return what an image of this size takes, by default of three channels of integers."""
        one = 4 * width * height * samples
        copies = _FLOAT_COPIES if is_float else _INTEGER_COPIES
        return ImageBytes(
            int(_WORKING_COPIES * one), int((copies + has_alpha * _ALPHA_COPIES) * one)
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """The memory there is for the whole process, and what of it the program itself takes."""

    program_bytes: int
    limit_bytes: int | None = None  # what the user has set

    def fits(self, image: ImageBytes) -> bool:
        """Say whether an image may be loaded as a whole."""
        if self.limit_bytes is None:
            return True
        return self.peak(image, _SMALL_NETWORK) <= PLANNED_SHARE * self.limit_bytes

    def check(self, image: ImageBytes) -> None:
        """Pass an image that may be loaded as a whole.

        Raises:
            DeviceError: it may not.
        """
        if self.limit_bytes is not None and self.peak(image, 0) > self.limit_bytes:
            raise self.too_small(self.peak(image, _SMALL_NETWORK))

    def peak(self, image: ImageBytes, network_bytes: int) -> int:
        """Return what the process takes at its peak to restore an image as a whole."""
        return self.program_bytes + max(image.coding, image.working + network_bytes)

    def too_small(self, need_bytes: int) -> DeviceError:
        """Return the error for an image that needs more."""
        what = f"needs {readable(need_bytes)} of memory, --max-memory is {self._limit}"
        return DeviceError(
            what, hint=f"the least that works is --max-memory {readable(need_bytes)}"
        )

    @property
    def _limit(self) -> str:
        return readable(self.limit_bytes or 0)


def program_bytes(weights_bytes: int) -> int:
    """Return what the program takes with a model loaded.

    Args:
        weights_bytes: size of the weights file.
    """
    return PROGRAM_BYTES + int(WEIGHTS_COPIES * weights_bytes)


def stream_bytes(width: int, channels: int, tile_rows: int, cache_bytes: int) -> int:
    """Return what restoring in parts takes beside the program and the network.

    Args:
        width: of the image in pixels.
        channels: of its colour.
        tile_rows: height of a tile in pixels.
        cache_bytes: of decoded strips or tiles that are kept.
    """
    return rows_bytes(width, channels, tile_rows) + cache_bytes + _STREAM_FIXED_BYTES


def rows_bytes(width: int, channels: int, tile_rows: int) -> int:
    """Return what a row of tiles takes while it becomes rows of the image."""
    return int(_ROW_COPIES * 4 * width * channels * tile_rows)


def coarse_bytes(width: int, tile_rows: int) -> int:
    """Return what a row of tiles of a coarser image takes, which is restored first.

    Args:
        width: of that image in pixels.
        tile_rows: height of a tile in pixels.
    """
    return int(_COARSE_COPIES * 4 * width * 3 * tile_rows)


def stream_cache_bytes(row_bytes: int, segment_rows: int, tile_rows: int) -> int:
    """Return how much of what was decoded is worth keeping: a row of tiles, and where it ends.

    Args:
        row_bytes: of one stored row of pixels.
        segment_rows: height of a strip or tile; 0: nothing has to be decoded.
        tile_rows: height of a tile of the engine's in pixels.
    """
    return row_bytes * (tile_rows + 2 * segment_rows) if segment_rows else 0


def readable(size: int) -> str:
    """Return a size as ``--max-memory`` takes it, rounded up."""
    mib = -(-size // MIB)
    return f"{mib}M" if mib < 1024 else f"{-(-10 * mib // 1024) / 10:g}G"
