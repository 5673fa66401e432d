"""Restores an image that is in memory as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from restore_cli.errors import ImageError, RestoreError
from restore_cli.imaging.formats import output_format
from restore_cli.imaging.image import Image, Pixels
from restore_cli.imaging.limits import VARIABLE, check_size, with_size_check
from restore_cli.imaging.options import EncodingOptions
from restore_cli.imaging.resizing import enlarge, repeat
from restore_cli.jobs.restore.memory_budget import Budget, ImageBytes
from restore_cli.jobs.restore.outputs import encode
from restore_cli.jobs.restore.prediction import long_strip, plan_whole, writing_seconds
from restore_cli.jobs.restore.targets import Target, with_suffix
from restore_cli.jobs.restore.value_range import ValueRange, filled
from restore_cli.jobs.restore.work import Facts, Input, Notes, OnStep, Output, Prediction, Step
from restore_cli.methods.method import Method, MethodPlan, OnTile

# Pixels (H, W, C) and a progress function → restored pixels of the same shape.
RestorePixels = Callable[[Pixels, OnTile | None], Pixels]


class WholeImage:
    """An image that is decoded, restored and encoded in memory."""

    def __init__(
        self, source: Input, target: Target, encoding: EncodingOptions, scale: int
    ) -> None:
        """Read nothing yet.

        Args:
            source: the image.
            target: where the result goes.
            encoding: how the result is stored.
            scale: how many times larger each side becomes.
        """
        self.target = target
        self._source = source
        self._encoding = encoding
        self._scale = scale
        self._image: Image | None = None
        self._read_s = 0.0

    def room_bytes(self, limit_bytes: int | None) -> int:
        width, height = measured_size(self._source) or (0, 0)
        size = ImageBytes.of_size(width * self._scale, height * self._scale)
        return size.working if limit_bytes is None else size.coding + size.working

    def load(self, budget: Budget) -> None:
        scale = self._scale

        def check(width: int, height: int) -> None:
            budget.check(ImageBytes.of_size(width * scale, height * scale))

        started_s = time.perf_counter()
        with with_size_check(check):
            image = self._source.decode()
        self._source.release()
        self._read_s = time.perf_counter() - started_s
        check_enlarged(image, scale)
        self.target = with_suffix(
            self.target, output_format(image, requested=self._encoding.format)
        )
        # What the format cannot hold fails before the network has worked.
        encode(long_strip(image, scale), self.target, self._encoding)
        self._image = image

    def plan(self, method: Method, budget: Budget) -> PlannedImage:
        if self._image is None:
            raise ValueError("the image is not loaded")
        image, self._image = self._image, None
        size = ImageBytes.of(image, self._scale)
        shape = (image.height * self._scale, image.width * self._scale, image.pixels.shape[2])
        planned = plan_whole(method, shape, size, budget)
        return PlannedImage(
            image, self.target, self._encoding, self._scale, planned, budget, self._read_s
        )

    def close(self) -> None:
        self._source.release()


@dataclass(slots=True)
class PlannedImage:
    """An image in memory, with its tiles decided."""

    image: Image
    target: Target
    encoding: EncodingOptions
    scale: int
    plan: MethodPlan
    budget: Budget
    read_s: float

    @property
    def facts(self) -> Facts:
        return facts_of(self.image, self.scale)

    @property
    def notes(self) -> Notes:
        return ()

    def predict(self) -> Prediction:
        strip = long_strip(self.image, self.scale)
        pixels = self.image.width * self.image.height * self.scale**2
        write_s = writing_seconds(strip, pixels, self.target, self.encoding)
        peak_bytes = self.budget.peak(ImageBytes.of(self.image, self.scale), self.plan.memory_bytes)
        seconds = self.read_s + self.plan.seconds() + write_s
        return Prediction(self.plan.tiles, seconds, peak_bytes)

    def restore(self, output: Output, on_step: OnStep) -> RestoredImage:
        del output  # written when it is encoded

        def on_tile(done: int, total: int) -> None:
            on_step(Step("tiles", done, total))

        restored = restore_image(self.image, self.plan.restore, on_tile, self.scale)
        return RestoredImage(restored, self.target, self.encoding)


class RestoredImage:
    """A restored image that is still to be encoded."""

    def __init__(self, image: Image, target: Target, encoding: EncodingOptions) -> None:
        self.facts = facts_of(image)
        self._image: Image | None = image
        self._target = target
        self._encoding = encoding

    def store(self, output: Output) -> Notes:
        if self._image is None:
            raise ValueError("the image is stored already")
        image, self._image = self._image, None
        data, notes = encode(image, self._target, self._encoding)
        notes = (*image.notes, *notes)
        del image  # its memory is free while the file is written
        output.write(data)
        return notes


def restore_image(
    image: Image, restore: RestorePixels, on_tile: OnTile | None = None, scale: int = 1
) -> Image:
    """Return the restored image; notes say what had to be done to its values.

    Alpha is carried, never restored. Colour under alpha 0 is neither read nor changed.

    Args:
        image: the image to restore.
        restore: maps (H, W, 1|3) float32 in [0, 1] to the same shape.
        on_tile: called after each tile.
        scale: the image, with its alpha, is enlarged so many times and restored at that size. The
            resolution in its metadata stays: an enlarged picture prints larger.

    Raises:
        ResultError: the restored pixels cannot be right.
        DeviceError: there is not enough memory.
    """
    pixels, holes = filled(image.pixels, image.alpha)
    values = ValueRange.of(pixels, holes)
    restored = restore(enlarge(values.into_unit(pixels), scale), on_tile)
    pixels = values.out_of_unit(restored)
    alpha = image.alpha
    if alpha is not None:
        alpha = enlarge(alpha, scale)
        pixels = np.where(alpha > 0, pixels, repeat(image.pixels, scale))
    result = replace(image, pixels=pixels.astype(np.float32, copy=False), alpha=alpha)
    return result.with_notes(*values.notes)


def facts_of(image: Image, scale: int = 1, *, in_parts: bool = False) -> Facts:
    """Return size, channels and depth of what an image becomes."""
    width, height = image.width * scale, image.height * scale
    return Facts(width, height, image.pixels.shape[2], image.depth, in_parts=in_parts)


def check_enlarged(image: Image, scale: int) -> None:
    """Refuse an image that has more pixels than allowed once it is enlarged.

    Raises:
        ImageError: it has.
    """
    if scale == 1:
        return
    width, height = image.width * scale, image.height * scale
    try:
        check_size(width, height)
    except ImageError as error:
        hint = f"try a smaller --scale, or set {VARIABLE}={width * height}"
        raise ImageError(f"enlarged {scale} times, {error.what}", hint=hint) from error


def measured_size(source: Input) -> tuple[int, int] | None:
    """Return width and height from the header; None where no decoder understands it."""

    def stop(width: int, height: int) -> None:
        raise _MeasuredError(width, height)

    try:
        with with_size_check(stop):
            image = source.decode()
    except _MeasuredError as measured:
        return measured.size
    except RestoreError:
        return None
    return image.width, image.height


class _MeasuredError(RestoreError):
    """Stops a decoder once it knows the size."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__("measured")
        self.size = (width, height)
