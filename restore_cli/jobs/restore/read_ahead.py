"""Reads ahead and writes behind in threads, while frames are restored."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_AHEAD = 2  # items that wait; a frame may be large
_POLL_S = 0.1
_PATIENCE_S = 1.0  # with a thread that waits for a pipe


class ReadAhead(Generic[T]):
    """Reads a source in a thread, and yields its items as soon as they arrive.

    Attributes:
        error: what ended the source early; its items before that all come first.
    """

    def __init__(self, source: Iterable[T], *, may_hang: bool) -> None:
        """Prepare to read.

        Args:
            source: read by the thread alone until this is closed.
            may_hang: whether it may wait for ever, as a pipe does; it is not waited for then.
        """
        self.error: Exception | None = None
        self._source = source
        self._may_hang = may_hang
        self._items: queue.Queue[tuple[T] | None] = queue.Queue(_AHEAD)
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._is_closing.set()
        self._thread.join(_PATIENCE_S if self._may_hang else None)

    def __iter__(self) -> Iterator[T]:
        """Yield the items; check ``error`` afterwards."""
        while (item := self._items.get()) is not None:
            yield item[0]

    def _run(self) -> None:
        try:
            for item in self._source:
                self._put((item,))
                if self._is_closing.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - handed over to the thread that asks
            self.error = error
        self._put(None)

    def _put(self, item: tuple[T] | None) -> None:
        while not self._is_closing.is_set():
            with suppress(queue.Full):
                self._items.put(item, timeout=_POLL_S)
                return


class WriteBehind(Generic[T]):
    """Writes items in a thread; an error there is raised at the next item."""

    def __init__(self, write: Callable[[T], object], *, may_hang: bool) -> None:
        """Prepare to write.

        Args:
            write: called by the thread, with one item after another.
            may_hang: whether it may wait for ever, as a pipe does; it is not waited for then.
        """
        self._write = write
        self._may_hang = may_hang
        self._items: queue.Queue[tuple[T] | None] = queue.Queue(_AHEAD)
        self._error: Exception | None = None
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Drop items that are not written yet; after ``finish`` there are none."""
        self._is_closing.set()
        with suppress(queue.Full):  # else it is busy, and will see that we are closing
            self._items.put_nowait(None)
        self._thread.join(_PATIENCE_S if self._may_hang else None)

    def put(self, item: T) -> None:
        """Pass an item on to be written, after those before it.

        Raises:
            Exception: whatever writing an earlier one has raised.
        """
        self._items.put((item,))
        self._raise()

    def finish(self) -> None:
        """Wait until everything is written.

        Raises:
            Exception: whatever writing has raised.
        """
        self._items.put(None)
        while self._thread.is_alive():
            self._thread.join(_POLL_S)  # a wait without end would not hear Ctrl-C everywhere
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            if self._is_closing.is_set():
                return
            if self._error is None:  # after a failure, items are taken and dropped
                try:
                    self._write(item[0])
                except Exception as error:  # noqa: BLE001 - raised by the thread that puts
                    self._error = error
