"""Turns frames into pixels and back: Y'CbCr by BT.601, BT.709 and BT.2020, chroma, grey.

A restored frame is the stored one plus what the network changed, brought into the frame's own
colour space. The way there is linear, so that what is not changed stays as it is, bit for bit:
chroma is not blurred by going up and down again, and values outside of what RGB can show survive.

Source: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (constants, quantisation for 8 and 10 bits), H.273
(full range, more bits, where chroma is taken).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restore_cli.imaging.image import Pixels
from restore_cli.imaging.video.frames import FrameFormat, Matrix, Plane, Planes

# Shares of red and blue in luma.
_SHARES: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}

Values = NDArray[np.float32]


def to_pixels(planes: Planes, format: FrameFormat) -> Pixels:
    """Return a frame's pixels, (H, W, 1) or (H, W, 3) RGB float32.

    Codes beyond black and white, and combinations of Y, Cb and Cr that no RGB gives, come out
    below 0 and above 1.
    """
    layout = format.layout
    if layout.kind in ("rgb", "bgr"):
        pixels = planes[0].astype(np.float32) / np.float32(2**layout.bits - 1)
        return pixels if layout.kind == "rgb" else np.ascontiguousarray(pixels[:, :, ::-1])
    (black, luma_range), (middle, chroma_range) = _quantisation(format)
    luma = (planes[0].astype(np.float32) - black) / luma_range
    if layout.kind == "gray":
        return luma[:, :, None]
    blue_difference, red_difference = (
        (_upsampled(plane.astype(np.float32), format) - middle) / chroma_range
        for plane in planes[1:]
    )
    red_share, blue_share = _SHARES[format.matrix]
    pixels = np.empty((format.height, format.width, 3), np.float32)
    pixels[:, :, 0] = luma + np.float32(2 * (1 - red_share)) * red_difference
    pixels[:, :, 2] = luma + np.float32(2 * (1 - blue_share)) * blue_difference
    others = np.float32(red_share) * pixels[:, :, 0] + np.float32(blue_share) * pixels[:, :, 2]
    pixels[:, :, 1] = (luma - others) / np.float32(1 - red_share - blue_share)
    return pixels


def from_pixels(pixels: Pixels, format: FrameFormat) -> Planes:
    """Return a frame's planes, rounded to the nearest code.

    Args:
        pixels: (H, W, 1) or (H, W, 3) RGB; grey fits every layout, colour becomes luma where the
            layout is grey.
        format: of the frame.
    """
    offsets: tuple[float, ...] = (0.0,)
    if format.layout.kind in ("yuv", "gray"):
        (black, _), (middle, _) = _quantisation(format)
        offsets = (black, middle, middle)
    parts = _in_codes(pixels, format)
    return tuple(
        _rounded(part + np.float32(offset), format)
        for part, offset in zip(parts, offsets, strict=False)
    )


def corrected(planes: Planes, correction: Pixels, format: FrameFormat) -> Planes:
    """Add a change to a frame's planes; without change they stay bit for bit.

    Args:
        planes: of the frame as it is.
        correction: (H, W, 1) or (H, W, 3) RGB, what is to be added to each pixel.
        format: of the frame.
    """
    parts = _in_codes(correction, format)
    return tuple(_rounded(p + part, format) for p, part in zip(planes, parts, strict=True))


def _in_codes(pixels: Pixels, format: FrameFormat) -> list[Values]:
    """Return pixels in the steps of each plane, 0 for black; linear."""
    kind = format.layout.kind
    if kind in ("rgb", "bgr"):
        if pixels.shape[2] == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        ordered = pixels if kind == "rgb" else pixels[:, :, ::-1]
        return [ordered * np.float32(2**format.layout.bits - 1)]
    (_, luma_range), (_, chroma_range) = _quantisation(format)
    red_share, blue_share = _SHARES[format.matrix]
    red, green, blue = (pixels[:, :, k] for k in ((0, 0, 0), (0, 1, 2))[pixels.shape[2] == 3])
    green_share = np.float32(1 - red_share - blue_share)
    luma = np.float32(red_share) * red + green_share * green + np.float32(blue_share) * blue
    if pixels.shape[2] == 1:  # the shares add up to 1 but for rounding
        luma = red
    if kind == "gray":
        return [luma * luma_range]
    blue_difference = (blue - luma) * (chroma_range / np.float32(2 * (1 - blue_share)))
    red_difference = (red - luma) * (chroma_range / np.float32(2 * (1 - red_share)))
    return [
        luma * luma_range,
        _downsampled(blue_difference, format),
        _downsampled(red_difference, format),
    ]


def _quantisation(
    format: FrameFormat,
) -> tuple[tuple[float, np.float32], tuple[float, np.float32]]:
    """Return the code of 0 and the codes from 0 to 1, of luma and of chroma."""
    bits = format.layout.bits
    if format.is_full_range:
        span = np.float32(2**bits - 1)
        return (0.0, span), (2.0 ** (bits - 1), span)
    step = 2 ** (bits - 8)
    return (16.0 * step, np.float32(219 * step)), (128.0 * step, np.float32(224 * step))


def _rounded(values: Values, format: FrameFormat) -> Plane:
    codes = np.clip(np.rint(values), 0, 2**format.layout.bits - 1)
    plane: Plane = codes.astype(format.layout.dtype)
    return plane


def _upsampled(plane: Values, format: FrameFormat) -> Values:
    """Return a chroma plane at the size of luma, linear between its samples."""
    for axis, length in enumerate((format.height, format.width)):
        step = format.layout.steps[axis]
        if step > 1:
            where = np.arange(length, dtype=np.float32)
            if not format.is_cosited[axis]:
                where -= np.float32((step - 1) / 2)
            plane = _interpolated(plane, where / np.float32(step), axis)
    return plane


def _interpolated(plane: Values, where: Values, axis: int) -> Values:
    """Return rows (axis 0) or columns (1) at fractional places, the border's beyond it."""
    last = plane.shape[axis] - 1
    where = np.clip(where, 0, last)
    before = np.floor(where).astype(np.intp)
    share = (where - before).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    lower = np.take(plane, before, axis)
    upper = np.take(plane, np.minimum(before + 1, last), axis)
    mixed: Values = lower + share * (upper - lower)
    return mixed


def _downsampled(plane: Values, format: FrameFormat) -> Values:
    """Return luma-sized values at the size of chroma, averaged around its samples."""
    for axis in (0, 1):
        step = format.layout.steps[axis]
        if step > 1:
            plane = _averaged(plane, step, axis, is_cosited=format.is_cosited[axis])
    return plane


def _averaged(plane: Values, step: int, axis: int, *, is_cosited: bool) -> Values:
    """Return means over ``step`` rows or columns, or where cosited over a tent around the first."""
    count = -(-plane.shape[axis] // step)
    # A tent that is twice as wide sums to the same as a box, and has its middle on a sample.
    weights = _tent(step) if is_cosited else np.full(step, 1 / step, np.float32)
    first = 1 - step if is_cosited else 0
    total: Values = np.zeros((), np.float32)
    for offset, weight in enumerate(weights, start=first):
        at = np.clip(np.arange(count) * step + offset, 0, plane.shape[axis] - 1)
        total = total + weight * np.take(plane, at, axis)
    return total


def _tent(step: int) -> Values:
    rising = np.arange(1, step + 1, dtype=np.float32)
    tent: Values = (np.concatenate([rising, rising[-2::-1]]) / step**2).astype(np.float32)
    return tent
