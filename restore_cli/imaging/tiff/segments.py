"""Reads windows of a TIFF page's stored samples; decodes only the strips or tiles under them."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffPage

from restore_cli.imaging.tiff.compression import JPEG, check_segment

Samples = NDArray[Any]  # of whatever type the file stores

# A strip or tile is decoded as a whole; larger ones would take the memory that windows save.
MAX_SEGMENT_BYTES = 64 * 2**20
DEFAULT_CACHE_BYTES = 128 * 2**20


class Segments:
    """Reads windows of one page; safe to share between threads.

    Attributes:
        cache_bytes: how much to keep of what was decoded last. Windows that are read row by row
            decode each strip once if a row of windows fits.
    """

    def __init__(self, path: Path, page: TiffPage, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        """Open the file a second time, so that its position is ours.

        Raises:
            ValueError: the page can only be decoded as a whole, and is too large for that.
            OSError: it cannot be opened.
        """
        if page.dtype is None:
            raise ValueError("its samples are of no type we know")
        self.cache_bytes = cache_bytes
        self._page = page
        self._planes, _, self._height, self._width, self._contig = page.shaped
        self._type = page.dtype
        self._is_raw = page.is_contiguous and page.predictor == 1 and page.fillorder == 1
        if page.is_tiled and not self._is_raw:
            self._rows, self._columns = page.tilelength, page.tilewidth
        else:
            self._rows, self._columns = page.rowsperstrip, self._width
        self._check()
        page.init_decode()
        self._file = path.open("rb")
        self._lock = threading.Lock()
        self._decoded: OrderedDict[int, Samples | None] = OrderedDict()
        self._decoded_bytes = 0

    @property
    def segment_rows(self) -> int:
        """Return the height of a strip or tile, 0 where none has to be decoded."""
        return 0 if self._is_raw else self._rows

    @property
    def segment_bytes(self) -> int:
        """Return the decoded size of one strip or tile, 0 where none has to be decoded."""
        return self.segment_rows * self._columns * self._contig * self._type.itemsize

    @property
    def row_bytes(self) -> int:
        """Return the stored size of one row of pixels."""
        return self._width * self._contig * self._planes * self._type.itemsize

    def close(self) -> None:
        self._file.close()
        self._decoded.clear()

    def read(self, top: int, bottom: int, left: int, right: int) -> Samples:
        """Return the samples of a window, (h, w, S), as stored.

        Raises:
            Exception: of any kind, for damage; see ``tiff_codec.damaged``.
        """
        shape = (self._planes, bottom - top, right - left, self._contig)
        window: Samples = np.empty(shape, self._type)
        with self._lock:
            for plane in range(self._planes):
                if self._is_raw:
                    self._read_raw(window[plane], plane, top, left)
                else:
                    self._read_decoded(window[plane], plane, top, left)
        return window[0] if self._planes == 1 else np.moveaxis(window[..., 0], 0, 2)

    def _check(self) -> None:
        page = self._page
        if page.jpegheader is not None:
            raise ValueError("one JPEG picture cut into tiles")
        if self._is_raw:
            if page.dataoffsets[0] + page.nbytes > page.parent.filehandle.size:
                raise ValueError("fewer bytes than pixels")
        elif self.segment_bytes > MAX_SEGMENT_BYTES:
            mib = self.segment_bytes >> 20
            raise ValueError(f"its strips or tiles of {mib} MiB can only be decoded whole")
        else:
            across = math.ceil(self._width / self._columns)
            count = across * math.ceil(self._height / self._rows) * self._planes
            if len(page.dataoffsets) < count or len(page.databytecounts) < count:
                raise ValueError("fewer strips or tiles than pixels")

    def _read_raw(self, window: Samples, plane: int, top: int, left: int) -> None:
        """Fill (h, w, contig) from bytes that lie in the file as the pixels do."""
        pixel_bytes = self._contig * self._type.itemsize
        stored = self._type.newbyteorder(self._page.parent.byteorder)
        first = self._page.dataoffsets[0] + plane * self._height * self._width * pixel_bytes
        is_full = window.shape[1] == self._width
        rows = [window] if is_full else list(window[:, None])
        for index, part in enumerate(rows):
            self._file.seek(first + ((top + index) * self._width + left) * pixel_bytes)
            data = self._file.read(part.size * self._type.itemsize)
            part[...] = np.frombuffer(data, stored).reshape(part.shape)

    def _read_decoded(self, window: Samples, plane: int, top: int, left: int) -> None:
        """Fill (h, w, contig) from the strips or tiles under it."""
        height, width = window.shape[:2]
        across = math.ceil(self._width / self._columns)
        down = math.ceil(self._height / self._rows)
        for row in range(top // self._rows, -(-(top + height) // self._rows)):
            for column in range(left // self._columns, -(-(left + width) // self._columns)):
                segment = self._segment((plane * down + row) * across + column)
                y, x = row * self._rows, column * self._columns
                y0, y1 = max(top, y), min(top + height, y + self._rows)
                x0, x1 = max(left, x), min(left + width, x + self._columns)
                place = window[y0 - top : y1 - top, x0 - left : x1 - left]
                if segment is None:
                    place[...] = self._page.nodata
                else:
                    place[...] = segment[y0 - y : y1 - y, x0 - x : x1 - x]

    def _segment(self, index: int) -> Samples | None:
        """Return a decoded strip or tile, (h, w, contig); None where the file leaves it out."""
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        page = self._page
        count = page.databytecounts[index]
        data = None
        if count:
            self._file.seek(page.dataoffsets[index])
            data = self._file.read(count)
            check_segment(data, page)
        is_jpeg = page.compression in JPEG
        tables = {"jpegtables": page.jpegtables} if is_jpeg else {}
        decoded = page.decode(data, index, **tables)[0]
        segment: Samples | None = None if decoded is None else decoded[0]
        size = 0 if segment is None else segment.nbytes
        while self._decoded and self._decoded_bytes + size > self.cache_bytes:
            _, dropped = self._decoded.popitem(last=False)
            self._decoded_bytes -= 0 if dropped is None else dropped.nbytes
        self._decoded[index] = segment
        self._decoded_bytes += size
        return segment
