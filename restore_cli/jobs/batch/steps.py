"""One file's work as pure functions: bytes and settings in, bytes and a report out.

The three steps are apart, so that they can overlap; ``restore_bytes`` joins them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restore_cli.errors import RestoreError
from restore_cli.imaging.formats import decode_image, misnamed
from restore_cli.imaging.image import Image
from restore_cli.imaging.limits import also_checked
from restore_cli.jobs.restore.memory_budget import Budget, ImageBytes
from restore_cli.jobs.restore.opening import Opened, check_enlarged, encode, long_strip
from restore_cli.jobs.restore.pixels import OnTile, restore_image
from restore_cli.jobs.restore.prediction import share_memory
from restore_cli.jobs.restore.targets import Target

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore.options import RestoreOptions


@dataclass(frozen=True, slots=True)
class Restored:
    """A file to be written, and what is to be said about it."""

    data: bytes
    width: int
    height: int
    notes: tuple[str, ...]
    compute_s: float


class _MeasuredError(RestoreError):
    """Ends a decoder's work when it knows the size."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__("measured")
        self.size = (width, height)


def restore_bytes(
    data: bytes,
    source: str,
    output: str,
    options: RestoreOptions,
    restorer: Restorer,
    budget: Budget,
    on_tile: OnTile | None = None,
) -> Restored:
    """Restore one file; the same bytes as ``restore_files`` writes.

    Args:
        data: the whole input.
        source: its name, for messages and for a note if it says another format.
        output: the result's name; its suffix decides the format where the options do not.
        options: how to restore.
        restorer: the engine.
        budget: of memory.
        on_tile: told after each tile how many of how many are done.

    Raises:
        ImageError: the input cannot be read, or the result's format does not take it.
        UsageError: the format does not hold what is asked for.
        DeviceError: there is not enough memory.
        ResultError: the restored pixels cannot be right.
    """
    opened = open_bytes(data, source, output, options, budget)
    started_s = time.monotonic()
    image = compute(opened, restorer, options, budget, on_tile)
    compute_s = time.monotonic() - started_s
    encoded, notes = encode(image, opened.target, options)
    return Restored(encoded, image.width, image.height, (*image.notes, *notes), compute_s)


def open_bytes(
    data: bytes, source: str, output: str, options: RestoreOptions, budget: Budget
) -> Opened:
    """Decode a file after all that can be checked beforehand.

    Raises:
        ImageError: it cannot be read, or the result's format does not take it.
        UsageError: the format does not hold what is asked for.
        DeviceError: it takes more memory than there may be.
    """
    scale = options.scale

    def check(width: int, height: int) -> None:
        budget.check(ImageBytes.of_size(width * scale, height * scale))

    target = Target(source, output, explicit=True)
    with also_checked(check):
        image = decode_image(data, source)
    image = image.with_notes(*misnamed(_name(source), image.format))
    check_enlarged(image, scale)
    # What the format cannot hold fails before the network has worked.
    encode(long_strip(image, scale), target, options)
    return Opened(image, target)


def compute(
    opened: Opened,
    restorer: Restorer,
    options: RestoreOptions,
    budget: Budget,
    on_tile: OnTile | None = None,
) -> Image:
    """Return the restored image.

    Raises:
        DeviceError: there is not enough memory.
        ResultError: the restored pixels cannot be right.
    """
    fit_memory(opened, restorer, options, budget)
    return restore_image(opened.image, restorer, on_tile, options.scale)


def fit_memory(opened: Opened, restorer: Restorer, options: RestoreOptions, budget: Budget) -> None:
    """Tell the engine how much memory is its own for this image.

    Raises:
        DeviceError: there is too little for any tile.
    """
    if opened.reader is None and budget.limit_bytes is None:
        restorer.max_memory_bytes = None
    else:
        share_memory(opened, restorer, options.scale, budget)


def measure(data: bytes) -> tuple[int, int] | None:
    """Return width and height by the header; None where no decoder understands it."""

    def stop(width: int, height: int) -> None:
        raise _MeasuredError(width, height)

    try:
        with also_checked(stop):
            image = decode_image(data)
    except _MeasuredError as measured:
        return measured.size
    except RestoreError:
        return None
    return image.width, image.height


def _name(source: str) -> Path:
    return Path(source.rpartition("/")[2] or source)
