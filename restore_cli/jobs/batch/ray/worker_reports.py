"""Keeps small reports of a cluster's workers, since only the driver writes the journal.

Before a worker puts a result in its place, it writes a report into a small file. The driver copies
the report into the journal when the result is there, or in the next run if the driver was killed.
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


class WorkerReports:
    """Keeps one small file for each result; in an object store, these are the journal itself."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def find(self, output: str) -> Record | None:
        """Return the report on a result; None if there is none that can be read."""
        path = self._results.path(_name(output))
        try:
            return _parsed(storage_for(path).read(path).data)
        except ImageError:
            return None

    def write(self, record: Record) -> None:
        """Write a report; when this returns, it is stored.

        Raises:
            ImageError: it cannot be written.
        """
        line = json.dumps(record.to_line(now())).encode() + b"\n"
        name = _name(record.output)
        self._results.stage(name, line, claim_key(name)).commit()

    def remove(self, output: str) -> None:
        """Remove a report that is in the journal."""
        if isinstance(self._results, LocalResults):
            with suppress(OSError):
                Path(self._results.identity(_name(output))).unlink()


def adopt_reports(root: Path, journal: Journal) -> None:
    """Copy the reports that are left in a folder into its journal, and remove them.

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
