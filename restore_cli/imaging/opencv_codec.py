"""PNG, JPEG, WebP, AVIF, JPEG 2000, BMP and GIF through OpenCV; BGR order ends here.

OpenCV decodes the pixels. It passes over damage that turns half a picture grey, so PNG and
JPEG are first walked by our own readers, which also find what OpenCV 5 leaves out: XMP in
PNG and JPEG, profiles in AVIF and JPEG 2000, resolution.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from restore_cli.errors import ImageError
from restore_cli.imaging import boxes
from restore_cli.imaging.colour import cmyk_to_srgb
from restore_cli.imaging.image import Depth, Image, Metadata, Pixels
from restore_cli.imaging.jpeg import segments as jpeg_segments
from restore_cli.imaging.limits import check_size
from restore_cli.imaging.metadata import sane_dpi
from restore_cli.imaging.native_stderr import native_messages, reason
from restore_cli.imaging.pixels import from_float, join_alpha, split_alpha, to_float
from restore_cli.imaging.png import chunks as png_chunks

Samples = NDArray[Any]

_JPEG_LOSS = re.compile(r"premature end|bad huffman|corrupt data|bad progressive", re.IGNORECASE)
_COPY_AGAIN = "copy it again from the source"
# Of photos: as small as level 4 in two thirds of its time, 2 % larger than 6 in a third of it.
_PNG_LEVEL = 2


def _decode(data: bytes, title: str) -> tuple[Samples, Metadata, list[str]]:
    """Return (H, W, C) samples in RGB order, metadata that OpenCV saw, and its messages."""
    with native_messages() as messages:
        try:
            samples, kinds, blocks = cv2.imdecodeWithMetadata(
                np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
            )
        except cv2.error as error:
            samples, messages[:] = None, [str(error)]
    if samples is None:
        why = reason(messages)
        raise ImageError(f"damaged {title}" + (f": {why}" if why else ""), hint=_COPY_AGAIN)
    found = {
        int(kind): np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True)
    }
    metadata = Metadata(
        found.get(cv2.IMAGE_METADATA_EXIF),
        found.get(cv2.IMAGE_METADATA_ICCP),
        found.get(cv2.IMAGE_METADATA_XMP),
    )
    return _swap(samples if samples.ndim == 3 else samples[:, :, None]), metadata, messages


def _swap(samples: Samples) -> Samples:
    """Exchange red and blue; one or two channels stay."""
    if samples.shape[2] == 3:
        return samples[:, :, ::-1]
    return samples[:, :, [2, 1, 0, 3]] if samples.shape[2] == 4 else samples


def decode_png(data: bytes) -> Image:
    """Return a PNG; of an animated one the still picture.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    check_size(*png_chunks.header_size(data))
    info = png_chunks.read_png(data)
    samples, _, _ = _decode(info.plain(), "PNG")
    depth: Depth = "uint16" if samples.dtype == np.uint16 else "uint8"
    pixels, alpha = split_alpha(to_float(samples, 65535 if depth == "uint16" else 255))
    if info.is_grey:
        pixels = np.ascontiguousarray(pixels[:, :, :1])
        key = info.transparent_grey()
        if key is not None:
            alpha = (np.abs(pixels - np.float32(key)) > 1e-6).astype(np.float32)
    notes = (f"first of {info.frames} frames used",) if info.frames > 1 else ()
    return Image(pixels, alpha, depth, info.metadata(), "png", notes)


def decode_jpeg(data: bytes) -> Image:
    """Return a JPEG; CMYK is converted to sRGB.

    Raises:
        ImageError: damaged, truncated, of an unsupported kind or over the size limit.
    """
    info = jpeg_segments.read_jpeg(data)
    check_size(info.width, info.height)
    samples, _, messages = _decode(data, "JPEG")
    damage = [line for line in messages if _JPEG_LOSS.search(line)]
    if damage:
        raise ImageError(f"damaged JPEG: {reason(damage) or damage[0]}", hint=_COPY_AGAIN)
    notes = tuple(f"slightly damaged JPEG ({reason([m]) or m})" for m in messages[:1])
    if info.has_more_pictures:
        notes += ("further pictures in the file (preview, gain map) are not carried over",)
    metadata = info.metadata()
    if info.components == 4:
        pixels, how = _cmyk(data, info, metadata.icc)
        return Image(
            pixels,
            None,
            "uint8",
            replace(metadata, icc=None),
            "jpeg",
            (*notes, how),
            info.quality,
            lossless=False,
        )
    return Image(
        to_float(samples, 255),
        None,
        "uint8",
        metadata,
        "jpeg",
        notes,
        info.quality,
        lossless=False,
    )


def _cmyk(data: bytes, info: jpeg_segments.JpegInfo, icc: bytes | None) -> tuple[Pixels, str]:
    try:
        stored = imagecodecs.jpeg8_decode(data)
    except imagecodecs.Jpeg8Error as error:
        raise ImageError(f"damaged JPEG: {error}", hint=_COPY_AGAIN) from error
    return cmyk_to_srgb(255 - stored if info.adobe else stored, icc)


def decode_webp(data: bytes) -> Image:
    """Return a WebP; of an animated one the first frame.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    info = boxes.read_webp(data)
    check_size(info.width, info.height)
    samples, metadata, _ = _decode(data, "WebP")
    pixels, alpha = split_alpha(to_float(samples, 255))
    notes = (f"first of {info.frames} frames used",) if info.frames > 1 else ()
    return Image(pixels, alpha, "uint8", metadata, "webp", notes, lossless=info.lossless)


def decode_avif(data: bytes) -> Image:
    """Return an AVIF, turned as its boxes say; 10 and 12 bits become "uint16".

    Raises:
        ImageError: damaged or over the size limit.
    """
    info = boxes.read_avif(data)
    check_size(info.width, info.height)
    samples, metadata, _ = _decode(boxes.with_distinct_associations(data), "AVIF")
    deep = samples.dtype == np.uint16
    pixels, alpha = split_alpha(to_float(samples, (1 << info.bits) - 1 if deep else 255))
    metadata = replace(metadata, icc=info.icc, xmp=info.xmp)
    image = Image(pixels, alpha, "uint16" if deep else "uint8", metadata, "avif", lossless=False)
    return _turned(image, info.turns, info.mirror)


def _turned(image: Image, turns: int, mirror: int | None) -> Image:
    def turned(pixels: Pixels) -> Pixels:
        pixels = np.rot90(pixels, turns)
        if mirror is not None:
            pixels = np.flip(pixels, mirror)
        return pixels.copy()  # as in ``metadata.orient``

    alpha = None if image.alpha is None else turned(image.alpha)
    return replace(image, pixels=turned(image.pixels), alpha=alpha)


def decode_jpeg2000(data: bytes) -> Image:
    """Return a JPEG 2000; more than 8 bits become "uint16".

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    info = boxes.read_jpeg2000(data)
    check_size(info.width, info.height)
    samples, _, _ = _decode(data, "JPEG 2000")
    deep = samples.dtype == np.uint16
    pixels, alpha = split_alpha(to_float(samples, (1 << min(info.bits, 16)) - 1))
    metadata = Metadata(icc=info.icc)
    return Image(pixels, alpha, "uint16" if deep else "uint8", metadata, "jp2", lossless=False)


def decode_bmp(data: bytes) -> Image:
    """Return a BMP. Four channels with nothing in the fourth are padding, not alpha.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    if len(data) < 26:
        raise ImageError("truncated BMP: the file ends before the picture does", hint=_COPY_AGAIN)
    (header_size,) = struct.unpack_from("<I", data, 14)
    kind = "<hh" if header_size == 12 else "<ii"  # OS/2 files have the short header
    width, height = struct.unpack_from(kind, data, 18)
    check_size(width, abs(height))
    samples, _, _ = _decode(data, "BMP")
    pixels, alpha = split_alpha(to_float(samples, 255))
    if alpha is not None and not alpha.any():
        alpha = None
    dpi = None
    if header_size >= 40 and len(data) >= 46:
        x, y = struct.unpack_from("<ii", data, 38)
        dpi = sane_dpi(x, y, 0.0254)
    return Image(pixels, alpha, "uint8", Metadata(dpi=dpi), "bmp")


def decode_gif(data: bytes) -> Image:
    """Return the first frame of a GIF.

    Raises:
        ImageError: damaged, truncated or over the size limit.
    """
    if len(data) < 13:
        raise ImageError("truncated GIF: the file ends before the picture does", hint=_COPY_AGAIN)
    check_size(*struct.unpack_from("<HH", data, 6))
    frames = _gif_frames(data)
    samples, _, _ = _decode(data, "GIF")
    pixels, alpha = split_alpha(to_float(samples, 255))
    if alpha is not None and alpha.all():
        alpha = None
    notes = (f"first of {frames} frames used",) if frames > 1 else ()
    return Image(pixels, alpha, "uint8", format="gif", notes=notes)


def _gif_frames(data: bytes) -> int:
    """Count image blocks without decoding them and check the canvas each of them asks for.

    Source: GIF89a, sections 20 to 26.
    """
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    frames = 0
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x21:
            at += 2
        else:
            if at + 10 > len(data):
                break
            frames += 1
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
            check_size(left + width, top + height)
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return frames


def _encode(suffix: str, samples: Samples, options: list[int], metadata: Metadata) -> bytes:
    """Encode (H, W, 1, 3 or 4) samples in RGB order."""
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


def _samples(image: Image, depth: Depth, maximum: int | None = None) -> Samples:
    """Return what an encoder takes; grey with alpha becomes RGB with alpha."""
    pixels = image.pixels
    if image.alpha is not None and image.is_grey:
        pixels = np.repeat(pixels, 3, axis=2)
    return from_float(join_alpha(pixels, image.alpha), depth, maximum)


def encode_png(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Return a PNG of 8 or 16 bits; ``quality`` has no meaning here."""
    if image.is_grey and image.alpha is not None:
        data = imagecodecs.png_encode(from_float(join_alpha(image.pixels, image.alpha), depth))
    else:
        options = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
        data = _encode(".png", _samples(image, depth), options, Metadata())
    return png_chunks.add_metadata(bytes(data), image.metadata), ()


def encode_jpeg(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Return a JPEG; without ``quality`` the source's, but at least 90, or 95 if unknown."""
    chosen = quality or max(90, image.quality or 95)
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        if chosen >= 90
        else (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    )
    options = [
        cv2.IMWRITE_JPEG_QUALITY, chosen,
        cv2.IMWRITE_JPEG_OPTIMIZE, 1,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling,
    ]  # fmt: skip
    data = _encode(".jpg", _samples(image, depth), options, Metadata())
    return jpeg_segments.add_metadata(data, image.metadata)


def encode_webp(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Return a WebP: lossless for 100 or by default from a lossless source, else 95."""
    if max(image.width, image.height) > 16383:
        raise ImageError("WebP holds at most 16383 pixels a side", hint="use --format png")
    if quality is None:
        quality = 100 if image.lossless else 95
    options = [cv2.IMWRITE_WEBP_QUALITY, 101 if quality == 100 else quality]  # 101: lossless
    return _encode(".webp", _samples(image, depth), options, image.metadata), ()


def encode_avif(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Return an AVIF of 8 bits, or of 12 for "uint16"; quality 90 by default."""
    bits, top = (12, 4095) if depth == "uint16" else (8, None)
    options = [
        cv2.IMWRITE_AVIF_QUALITY, 90 if quality is None else quality,
        cv2.IMWRITE_AVIF_DEPTH, bits,
        cv2.IMWRITE_AVIF_SPEED, 8,
    ]  # fmt: skip
    notes = (
        ("16 bits reduced to 12: AVIF holds 12",) if bits == 12 and image.format != "avif" else ()
    )
    return _encode(".avif", _samples(image, depth, top), options, image.metadata), notes


def encode_jpeg2000(
    image: Image, depth: Depth, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Return a JP2: lossless by default; below 100 a PSNR of 25 dB + quality / 4.

    imagecodecs writes it: OpenCV's encoder refuses pictures under 32 pixels.
    """
    psnr_db = 0 if quality is None or quality == 100 else 25 + round(quality / 4)  # 0: lossless
    return bytes(
        imagecodecs.jpeg2k_encode(_samples(image, depth), level=psnr_db, codecformat="jp2")
    ), ()


def encode_bmp(image: Image, depth: Depth, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """Return a BMP; ``quality`` has no meaning here."""
    return _encode(".bmp", _samples(image, depth), [], Metadata()), ()
