"""Writes a TIFF from the top down, while its rows are made."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, TIFF

from restore_cli.atomic import replacing
from restore_cli.imaging.image import Depth, Image
from restore_cli.imaging.metadata import BROKEN_EXIF
from restore_cli.imaging.tiff.exif import exif_tail, pointer_to
from restore_cli.imaging.tiff.layout import Layout

Rows = NDArray[Any]  # (h, W) or (h, W, S) in the type that is stored


def write_rows(
    path: str | Path, header: Image, depth: Depth, rows: Iterable[Rows]
) -> tuple[str, ...]:
    """Write a file from finished rows, whole or not at all; the same bytes as all at once.

    Args:
        path: of the file.
        header: size, channels and metadata; its pixels are not looked at.
        depth: what is stored.
        rows: bands of any height, top to bottom, from ``tiff_codec.to_samples``.

    Returns:
        What the user should know about it.

    Raises:
        ImageError: there is nowhere to write, or the disk is full.
        ValueError: fewer or more rows than the image has.
    """
    layout = Layout.of(header, depth)
    with replacing(path) as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        with tifffile.TiffWriter(file, **layout.container) as tiff:
            tiff.write(
                _encoded(_strips(rows, layout), layout, pool),
                shape=layout.shape,
                dtype=depth,
                **layout.page_options(header),
            )
        return _add_exif(file, header.metadata.exif)


def _strips(bands: Iterable[Rows], layout: Layout) -> Iterator[Rows]:
    """Cut bands of any height into strips."""
    size = layout.rows_per_strip
    waiting: list[Rows] = []
    count = done = 0
    for band in bands:
        waiting.append(band)
        count += len(band)
        done += len(band)
        if count < size:
            continue
        joined = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
        whole = count - count % size
        for start in range(0, whole, size):
            yield joined[start : start + size]
        # A copy: a slice would keep the whole band in memory.
        waiting, count = [joined[whole:].copy()], count - whole
    if done != layout.shape[0]:
        raise ValueError(f"{done} rows for an image of {layout.shape[0]}")
    if count:
        yield np.concatenate(waiting)


def _encoded(strips: Iterable[Rows], layout: Layout, pool: ThreadPoolExecutor) -> Iterator[bytes]:
    """Compress strips, a bounded number at a time."""
    predict, compress = (
        TIFF.PREDICTORS[layout.predictor],
        TIFF.COMPRESSORS[COMPRESSION.ADOBE_DEFLATE],
    )

    def encode(strip: Rows) -> bytes:
        if strip.ndim == 2:
            strip = strip[:, :, None]
        return bytes(compress(predict(np.ascontiguousarray(strip), axis=-2)))

    batch: list[Rows] = []
    for strip in strips:
        batch.append(strip)
        if len(batch) == _STRIPS_AT_ONCE:
            yield from pool.map(encode, batch)
            batch = []
    yield from pool.map(encode, batch)


_STRIPS_AT_ONCE = 16


def _add_exif(file: BinaryIO, exif: bytes | None) -> tuple[str, ...]:
    if exif is None:
        return ()
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        tail, at = exif_tail(data, exif)
        place, pointer = pointer_to(data, at)
    if not tail:
        return (BROKEN_EXIF,)
    file.seek(at)  # a gap of one byte reads as 0
    file.write(tail)
    file.seek(place)
    file.write(pointer)
    return ()
