"""Watches a folder, and yields new files once they have stopped growing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Signature
from restore_cli.jobs.batch.storage.opening import storage_for

_PAUSE_S = 0.1  # between two looks at whether to stop


class Watch:
    """Remembers which files were taken, and the last signature of each."""

    def __init__(self, poll_s: float, stop: Stop) -> None:
        self._poll_s = poll_s
        self._stop = stop
        self._taken: dict[str, Signature | None] = {}
        self._seen: dict[str, Signature | None] = {}

    def arrivals(self, look: Callable[[], list[Item]]) -> Iterator[list[Item]]:
        """Yield new or changed files that two looks in a row have found the same.

        Ends when the batch is to stop.

        Args:
            look: returns all files there are.
        """
        is_on = not self._stop.wanted
        while is_on:
            ready = self._stable(look())
            if ready:
                yield ready
            is_on = self._wait()

    def _stable(self, items: list[Item]) -> list[Item]:
        now = {item.source: (item, _signature(item)) for item in items}
        ready = []
        for source, (item, signature) in now.items():
            is_new = source not in self._taken or self._taken[source] != signature
            if is_new and source in self._seen and self._seen[source] == signature:
                self._taken[source] = signature
                ready.append(item)
        self._seen = {source: signature for source, (_, signature) in now.items()}
        return ready

    def _wait(self) -> bool:
        """Wait for the next look; False: the batch is to stop."""
        until_s = time.monotonic() + self._poll_s
        while not self._stop.wanted and time.monotonic() < until_s:
            time.sleep(min(_PAUSE_S, self._poll_s))
        return not self._stop.wanted


def _signature(item: Item) -> Signature | None:
    return storage_for(item.source).signature(item.source)
