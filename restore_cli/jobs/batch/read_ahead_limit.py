"""Limits how far reading runs ahead of the network, by the memory that images take."""

from __future__ import annotations

import threading
from collections.abc import Callable

MAX_AHEAD = 8  # images between reading and writing
_PAUSE_S = 0.1  # between two looks at whether the batch is to stop


class ReadAheadLimit:
    """Lets images in while there is room; one that needs more than all of it comes in alone."""

    def __init__(self, room_bytes: int, most: int = MAX_AHEAD) -> None:
        self.room_bytes = room_bytes
        self._most = most
        self._used = 0
        self._inside = 0
        self._changed = threading.Condition()

    def enter(self, need_bytes: int, is_stopped: Callable[[], bool]) -> bool:
        """Wait for room; False: the batch is to stop, nothing has come in."""
        with self._changed:
            while not self._has_room(need_bytes):
                if is_stopped():
                    return False
                self._changed.wait(_PAUSE_S)
            self._used += need_bytes
            self._inside += 1
        return True

    def leave(self, need_bytes: int) -> None:
        """Give the room back."""
        with self._changed:
            self._used -= need_bytes
            self._inside -= 1
            self._changed.notify_all()

    def _has_room(self, need_bytes: int) -> bool:
        if self._inside == 0:
            return True
        return self._inside < self._most and self._used + need_bytes <= self.room_bytes
