"""Reads a TIFF window by window: the same pixels as the whole file would give."""

from __future__ import annotations

import mmap
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import tifffile

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image, Pixels
from restore_cli.imaging.limits import check_streamed_size
from restore_cli.imaging.metadata import fitting_icc, orient, upright_metadata
from restore_cli.imaging.reading import misnamed
from restore_cli.imaging.signatures import identify
from restore_cli.imaging.tiff.codec import (
    check_page,
    damaged,
    is_lossless,
    page_metadata,
    page_notes,
)
from restore_cli.imaging.tiff.samples import as_picture, has_associated_alpha
from restore_cli.imaging.tiff.segments import Segments


class TiffReader:
    """An open TIFF, upright; windows of it may be read from several threads.

    Attributes:
        header: the image with all that is said beside its pixels; those are zeros (and alpha is
            ones) that take no memory, so that one may ask for sizes and channels.
        may_leave_range: whether values may be outside [0, 1] or no numbers.
        segments: what is decoded and how much of it is kept.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a file.

        Raises:
            ImageError: missing, damaged, not supported, or over a limit the user has set.
            ValueError: no TIFF, or one that can only be decoded as a whole.
        """
        self._path = Path(path)
        with ExitStack() as opened:
            try:
                self._open(opened)
            except (ImageError, ValueError, MemoryError):
                raise
            except OSError as error:
                raise ImageError(f"cannot read: {error.strerror or error}", path=path) from error
            except Exception as error:
                raise _with_path(damaged(error), path) from error
            self._opened = opened.pop_all()

    def _open(self, opened: ExitStack) -> None:
        file = opened.enter_context(self._path.open("rb"))
        if not file.seekable() or identify(file.read(512)) != "tiff":
            raise ValueError("not a TIFF file")
        tiff = opened.enter_context(tifffile.TiffFile(self._path))
        self._page = page = tiff.pages.first
        size = tiff.filehandle.size
        check_streamed_size(page.imagewidth, page.imagelength, size)
        check_page(page, size)
        self.segments = Segments(self._path, page)
        opened.callback(self.segments.close)
        # Mapped, not read: of a large file, only what is looked at is loaded.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            metadata = page_metadata(data, page)
        self._icc = metadata.icc
        corner = as_picture(page, self.segments.read(0, 1, 0, 1), self._icc)
        image = corner.image(metadata, (), is_lossless=is_lossless(page))
        metadata, self._orientation, notes = upright_metadata(image.metadata)
        icc, icc_notes = fitting_icc(metadata.icc, image.pixels.shape[2])
        height, width = page.imagelength, page.imagewidth
        if self._orientation >= 5:
            height, width = width, height
        shape = (height, width, image.pixels.shape[2])
        self.header = Image(
            np.broadcast_to(np.float32(0), shape),
            None if image.alpha is None else np.broadcast_to(np.float32(1), (height, width, 1)),
            image.depth,
            type(metadata)(metadata.exif, icc, metadata.xmp, metadata.dpi),
            "tiff",
            (*page_notes(tiff), *corner.notes, *notes, *icc_notes, *misnamed(self._path, "tiff")),
            lossless=image.lossless,
        )
        has_alpha = image.alpha is not None
        self.may_leave_range = image.depth == "float32" or (
            has_alpha and has_associated_alpha(page)
        )

    def __enter__(self) -> TiffReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._opened.close()

    def read(self, top: int, bottom: int, left: int, right: int) -> tuple[Pixels, Pixels | None]:
        """Return pixels (h, w, C) and alpha (h, w, 1) of a window, as in the whole image.

        Args:
            top: first row, of the upright image.
            bottom: behind the last row.
            left: first column.
            right: behind the last column.

        Raises:
            ImageError: that part of the file is damaged.
        """
        try:
            samples = self.segments.read(*self._stored(top, bottom, left, right))
            picture = as_picture(self._page, samples, self._icc)
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # decoders have all kinds of their own
            raise _with_path(damaged(error), self._path) from error
        alpha = picture.alpha
        return (
            orient(picture.pixels, self._orientation),
            None if alpha is None else orient(alpha, self._orientation),
        )

    def _stored(self, top: int, bottom: int, left: int, right: int) -> tuple[int, int, int, int]:
        """Return where a window of the upright image is stored; the inverse of ``orient``."""
        height, width = self.header.height, self.header.width
        rows, columns = (top, bottom), (left, right)
        if self._orientation in (3, 4, 7, 8):
            rows = (height - bottom, height - top)
        if self._orientation in (2, 3, 6, 7):
            columns = (width - right, width - left)
        if self._orientation >= 5:
            rows, columns = columns, rows
        return (*rows, *columns)


def _with_path(error: ImageError, path: str | Path) -> ImageError:
    error.path = str(path)
    return error
