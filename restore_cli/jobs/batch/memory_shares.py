"""How much memory each image of a batch may take, and what is restored in parts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Results, Signature, Staged
from restore_cli.jobs.batch.storage.local import LocalResults, LocalStorage
from restore_cli.jobs.batch.storage.opening import storage_for
from restore_cli.jobs.restore.memory_budget import MIB, Budget, ImageBytes, program_bytes
from restore_cli.jobs.restore.opening import Opened, encode, long_strip, open_in_parts
from restore_cli.jobs.restore.pixels import OnTile
from restore_cli.jobs.restore.targets import Target
from restore_cli.jobs.restore.tiff_strips import restore_stream

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore.options import RestoreOptions

# For images that wait; the network's tiles and the one it works on come on top.
_MOST_ROOM_BYTES = 1024 * MIB
_SHARE_OF_MEMORY = 8  # at most 1/8 of what the machine has
_SHARE_OF_LIMIT = 4
_LEAST_BYTES = 512 * MIB  # that the network and one image should have beside the program


@dataclass(frozen=True, slots=True)
class InParts:
    """A TIFF that goes from disk to disk, and its checksum."""

    opened: Opened
    sha256: str
    signature: Signature | None
    budget: Budget
    need_bytes: int


class BatchMemory:
    """Shares the memory among the images that are read, restored and written at one time.

    Attributes:
        room_bytes: for images that wait.
    """

    def __init__(self, weights_bytes: int, limit_bytes: int | None) -> None:
        program = program_bytes(weights_bytes)
        self._whole = Budget(program, limit_bytes)
        if limit_bytes is None:
            self.room_bytes = min(_MOST_ROOM_BYTES, _physical_bytes() // _SHARE_OF_MEMORY)
            self._rest = self._whole
            return
        spare = max(0, limit_bytes - program - _LEAST_BYTES)
        self.room_bytes = min(limit_bytes // _SHARE_OF_LIMIT, spare)
        self._rest = Budget(program, limit_bytes - self.room_bytes)

    def share(self, size: tuple[int, int] | None, scale: int) -> tuple[int, Budget]:
        """Return the room an image of this size needs, and the budget for restoring it.

        An image that does not fit in the room has all the memory, and is alone.
        """
        width, height = size or (0, 0)
        image = ImageBytes.of_size(width * scale, height * scale)
        if self._whole.limit_bytes is None:
            return image.working, self._whole
        need_bytes = image.coding + image.working
        return need_bytes, self._rest if need_bytes <= self.room_bytes else self._whole

    def open_in_parts(
        self, item: Item, results: Results, options: RestoreOptions
    ) -> InParts | None:
        """Return a TIFF on a disk that is to become one in parts; None for anything else.

        Raises:
            ImageError: it cannot be read.
        """
        storage = storage_for(item.source)
        if not isinstance(storage, LocalStorage) or not isinstance(results, LocalResults):
            return None
        if storage.kind(item.source) != "file":
            return None
        target = Target(item.source, item.output, explicit=True)
        opened = open_in_parts(target, options, self._whole)
        if opened is None:
            return None
        header = Opened(opened.header, target, opened)
        # What the format cannot hold fails before the network has worked.
        encode(long_strip(opened.header, options.scale), target, options)
        # Alone, as far as the user has set a limit.
        need_bytes = 0 if self._whole.limit_bytes is None else self._whole.limit_bytes
        return InParts(header, *storage.checksum(item.source), self._whole, need_bytes)

    def restore_in_parts(
        self,
        opened: Opened,
        restorer: Restorer,
        results: Results,
        item: Item,
        key: str,
        options: RestoreOptions,
        on_tile: OnTile,
    ) -> tuple[Staged, tuple[str, ...]]:
        """Write the result beside its place, and return it with what the user should know.

        Raises:
            ImageError: the input is damaged further down or has changed, or there is nowhere to
                write.
            ResultError: the restored pixels cannot be right.
            DeviceError: there is not enough memory.
        """
        if opened.reader is None or not isinstance(results, LocalResults):
            raise ImageError("cannot be restored in parts", path=item.source)
        storage = LocalStorage()
        before = storage.signature(item.source)
        with results.staging(item.output, key) as path:
            notes = restore_stream(
                opened.reader, restorer, path, on_tile,
                bit_depth=options.encoding.bit_depth,
                strip_metadata=options.encoding.strip_metadata,
            )  # fmt: skip
            if storage.signature(item.source) != before:
                raise ImageError("has changed while it was read", path=item.source)
        return results.staged_at(path, item.output), notes


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return _SHARE_OF_MEMORY * _MOST_ROOM_BYTES
