"""An input of a batch: read once, and only if its times do not say that it is the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from restore_cli.imaging.video.formats import video_suffix
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Signature
from restore_cli.jobs.batch.storage.local import LocalStorage
from restore_cli.jobs.batch.storage.opening import storage_for


@dataclass(slots=True)
class Source:
    """An input; read once, and only if need be."""

    path: str
    signature: Signature | None  # None also where it may change without a trace
    sha256: str = ""
    _data: bytes | None = None

    def checksum(self) -> str:
        """Return the SHA-256 of what is restored; an image's bytes are held until they are taken.

        Raises:
            ImageError: it cannot be read.
        """
        if self.sha256:
            return self.sha256
        storage = storage_for(self.path)
        if isinstance(storage, LocalStorage) and video_suffix(self.path):
            self.sha256, self.signature = storage.checksum(self.path)  # may not fit in memory
        else:
            content = storage.read(self.path)
            self._data, self.signature = content.data, content.signature
            self.sha256 = hashlib.sha256(content.data).hexdigest()
        return self.sha256

    def is_of(self, record: Record) -> bool:
        """Say whether it is the input of a record.

        Raises:
            ImageError: it cannot be read.
        """
        if record.input_signature is not None and self.signature == record.input_signature:
            return True
        return self.checksum() == record.input_sha256

    def take(self) -> bytes:
        """Return the whole file, and let go of it.

        Raises:
            ImageError: it cannot be read.
        """
        self.checksum()
        data, self._data = self._data, None
        return data if data is not None else storage_for(self.path).read(self.path).data


def source_of(item: Item) -> Source:
    """Return the input of an item, not read yet."""
    return Source(item.source, storage_for(item.source).signature(item.source))
