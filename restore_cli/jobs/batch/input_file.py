"""Reads an input of a batch, unless its times show that it has not changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import decode_image, misnamed
from restore_cli.imaging.video.formats import video_suffix
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Signature
from restore_cli.jobs.batch.storage.opening import storage_for


@dataclass(slots=True)
class InputFile:
    """One input of a batch; an :class:`~restore_cli.jobs.restore.work.Input`."""

    name: str  # a path or URL
    path: str | None = None  # of a file on a disk
    signature: Signature | None = None  # None also where a change could leave no trace
    sha256: str = ""
    _data: bytes | None = None

    @property
    def taken_for(self) -> Literal["image", "video"]:
        return "video" if video_suffix(self.name) else "image"

    def checksum(self) -> str:
        """Return the SHA-256 of the file; a file on a disk is not held in memory for that.

        Raises:
            ImageError: it cannot be read.
        """
        if not self.sha256:
            if self.path is None:
                self._bytes()
            else:
                self.sha256, self.signature = storage_for(self.path).checksum(self.path)
        return self.sha256

    def is_of(self, record: Record) -> bool:
        """Return whether a record is about this very content.

        Raises:
            ImageError: it cannot be read.
        """
        if record.input_signature is not None and self.signature == record.input_signature:
            return True
        return self.checksum() == record.input_sha256

    def decode(self) -> Image:
        image = decode_image(self._bytes(), self.name)
        last_part = self.name.rpartition("/")[2] or self.name
        return image.with_notes(*misnamed(Path(last_part), image.format))

    def release(self) -> None:
        self._data = None

    def _bytes(self) -> bytes:
        """Return the whole file, kept until ``release``; the checksum is that of these bytes."""
        if self._data is None:
            content = storage_for(self.name).read(self.name)
            self._data, self.signature = content.data, content.signature
            self.sha256 = hashlib.sha256(content.data).hexdigest()
        return self._data


def input_file_of(item: Item) -> InputFile:
    """Return the input of an item, not read yet."""
    storage = storage_for(item.source)
    path = storage.local_path(item.source)
    return InputFile(item.source, path, storage.signature(item.source))
