"""Shares the memory among the images that are read, restored and written at one time."""

from __future__ import annotations

import os

from restore_cli.jobs.restore.memory_budget import MIB, Budget, program_bytes

# For images that wait. The network's tiles and the image that it works on come on top.
_MOST_ROOM_BYTES = 1024 * MIB
_SHARE_OF_MEMORY = 8  # at most 1/8 of the machine's memory
_SHARE_OF_LIMIT = 4
_LEAST_BYTES = 512 * MIB  # that the network and one image should have beside the program


class MemoryShares:
    """Splits the memory into room for images that wait, and the rest for the one at work.

    Attributes:
        room_bytes: for images that wait.
        whole: all the memory there is.
    """

    def __init__(self, weights_bytes: int, limit_bytes: int | None) -> None:
        """Split the memory.

        Args:
            weights_bytes: size of the weights file.
            limit_bytes: for the whole process, as the user has set it; None: no limit.
        """
        program = program_bytes(weights_bytes)
        self.whole = Budget(program, limit_bytes)
        if limit_bytes is None:
            self.room_bytes = min(_MOST_ROOM_BYTES, _physical_bytes() // _SHARE_OF_MEMORY)
            self._rest = self.whole
            return
        spare = max(0, limit_bytes - program - _LEAST_BYTES)
        self.room_bytes = min(limit_bytes // _SHARE_OF_LIMIT, spare)
        self._rest = Budget(program, limit_bytes - self.room_bytes)

    def budget_for(self, need_bytes: int) -> Budget:
        """Return the budget for restoring an image that takes so much room.

        An image that does not fit in the room has all the memory, and is alone.
        """
        return self._rest if need_bytes <= self.room_bytes else self.whole


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return _SHARE_OF_MEMORY * _MOST_ROOM_BYTES
