"""What the workers of a cluster announce: the journal of a folder is written by one process only.

A worker says in a small file of its own what it is about to put in its place. The journal takes
that over when the result is there, or in the next run, where whoever started it was killed.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.claims import claim_key
from restore_cli.jobs.batch.journal import Journal, now
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.storage.base import Results
from restore_cli.jobs.batch.storage.local import LocalResults
from restore_cli.jobs.batch.storage.opening import storage_for
from restore_cli.jobs.batch.storage.remote import JOURNAL_FOLDER


class Announcements:
    """One small file for each result; in an object store, these are the journal itself."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def find(self, output: str) -> Record | None:
        """Return what was announced of a result; None: nothing that can be read."""
        path = self._results.path(_name(output))
        try:
            return _parsed(storage_for(path).read(path).data)
        except ImageError:
            return None

    def announce(self, record: Record) -> None:
        """Write it down; when this returns, it is there.

        Raises:
            ImageError: it cannot be written.
        """
        line = json.dumps(record.to_line(now())).encode() + b"\n"
        name = _name(record.output)
        self._results.stage(name, line, claim_key(name)).commit()

    def withdraw(self, output: str) -> None:
        """Remove what the journal says by now."""
        if isinstance(self._results, LocalResults):
            with suppress(OSError):
                Path(self._results.identity(_name(output))).unlink()


def take_over(root: Path, journal: Journal) -> None:
    """Write down in the journal of a folder what was announced and not confirmed.

    Raises:
        ImageError: it cannot be written.
    """
    folder = root / JOURNAL_FOLDER
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in sorted(folder.glob("*.json")):
        record = _parsed(path.read_bytes())
        if record is not None and not _is_known(record, journal.last(record.output)):
            journal.append(record)
    shutil.rmtree(folder, ignore_errors=True)


def _is_known(record: Record, last: Record | None) -> bool:
    if last is None or last.step == "failed":
        return False
    return (last.settings, last.output_sha256) == (record.settings, record.output_sha256)


def _parsed(data: bytes) -> Record | None:
    try:
        return Record.of_line(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _name(output: str) -> str:
    return f"{JOURNAL_FOLDER}/{claim_key(output)}.json"
