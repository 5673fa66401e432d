"""Writes a result of a batch beside its place, complete but not visible yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Results, Staged
from restore_cli.jobs.batch.storage.opening import storage_for


class OutputFile:
    """One result of a batch; an :class:`~restore_cli.jobs.restore.work.Output`.

    Attributes:
        staged: the complete result; None until it is written.
        has_failed: the result could not be written; the input is not to blame.
    """

    def __init__(self, results: Results, item: Item, key: str) -> None:
        """Write nothing yet.

        Args:
            results: the folder of results.
            item: the input, and the name of its result.
            key: of the claim that is held.
        """
        self.staged: Staged | None = None
        self.has_failed = False
        self._results = results
        self._item = item
        self._key = key
        self._input_before = storage_for(item.source).signature(item.source)

    def write(self, data: bytes) -> None:
        with self._noted_failure():
            self.staged = self._results.stage(self._item.output, data, self._key)

    @contextmanager
    def part_by_part(self) -> Iterator[str]:
        source = self._item.source
        with ExitStack() as stack:
            with self._noted_failure():
                parts = self._results.staging(self._item.output, self._key)
                staging = stack.enter_context(parts)
            yield str(staging.path)
            # The input was read while the result was written.
            if storage_for(source).signature(source) != self._input_before:
                raise ImageError("has changed while it was read", path=source)
        self.staged = staging.staged

    @contextmanager
    def _noted_failure(self) -> Iterator[None]:
        try:
            yield
        except ImageError:
            self.has_failed = True
            raise

    def drop(self) -> None:
        """Remove what was written."""
        if self.staged is not None:
            self.staged.drop()
