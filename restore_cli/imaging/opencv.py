"""Decodes and encodes samples by OpenCV; its BGR order ends here.

OpenCV passes over damage that turns half a picture grey, and leaves out some metadata. So the
codecs of PNG and JPEG walk through their files first, and those of AVIF and JPEG 2000 read boxes.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Depth, Image, Metadata
from restore_cli.imaging.native_stderr import native_messages, reason
from restore_cli.imaging.pixels import from_float, join_alpha

Samples = NDArray[Any]

COPY_AGAIN = "copy it again from the source"


def decode_samples(data: bytes, title: str) -> tuple[Samples, Metadata, list[str]]:
    """Return (H, W, C) samples in RGB order, the metadata that OpenCV saw, and its messages.

    Raises:
        ImageError: OpenCV does not decode them.
    """
    with native_messages() as messages:
        try:
            samples, kinds, blocks = cv2.imdecodeWithMetadata(
                np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
            )
        except cv2.error as error:
            samples, messages[:] = None, [str(error)]
    if samples is None:
        why = reason(messages)
        raise ImageError(f"damaged {title}" + (f": {why}" if why else ""), hint=COPY_AGAIN)
    found = {
        int(kind): np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True)
    }
    metadata = Metadata(
        found.get(cv2.IMAGE_METADATA_EXIF),
        found.get(cv2.IMAGE_METADATA_ICCP),
        found.get(cv2.IMAGE_METADATA_XMP),
    )
    return _swap(samples if samples.ndim == 3 else samples[:, :, None]), metadata, messages


def encode_samples(suffix: str, samples: Samples, options: list[int], metadata: Metadata) -> bytes:
    """Encode (H, W, 1, 3 or 4) samples in RGB order.

    Raises:
        ImageError: OpenCV does not encode them.
    """
    blocks = [
        (cv2.IMAGE_METADATA_EXIF, metadata.exif),
        (cv2.IMAGE_METADATA_XMP, metadata.xmp),
        (cv2.IMAGE_METADATA_ICCP, metadata.icc),
    ]
    present = [(kind, np.frombuffer(block, np.uint8)) for kind, block in blocks if block]
    with native_messages() as messages:
        try:
            done, data = cv2.imencodeWithMetadata(
                suffix,
                np.ascontiguousarray(_swap(samples)),
                [kind for kind, _ in present],
                [block for _, block in present],
                options,
            )
        except cv2.error as error:
            done, messages[:] = False, [str(error)]
    if not done:
        raise ImageError(f"cannot be stored as {suffix[1:].upper()}: {reason(messages)}")
    return bytes(data.tobytes())


def samples_of(image: Image, depth: Depth, maximum: int | None = None) -> Samples:
    """Return the samples for an encoder; grey with alpha becomes RGB with alpha."""
    pixels = image.pixels
    if image.alpha is not None and image.is_grey:
        pixels = np.repeat(pixels, 3, axis=2)
    return from_float(join_alpha(pixels, image.alpha), depth, maximum)


def _swap(samples: Samples) -> Samples:
    """Exchange red and blue; one or two channels stay."""
    if samples.shape[2] == 3:
        return samples[:, :, ::-1]
    return samples[:, :, [2, 1, 0, 3]] if samples.shape[2] == 4 else samples
