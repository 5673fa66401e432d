"""Tells from the journal what became of an input earlier, and whether that still holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from restore_cli.errors import ImageError, RestoreError
from restore_cli.jobs.batch.input_file import InputFile
from restore_cli.jobs.batch.journal import Journal
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import Item, Outcome
from restore_cli.jobs.batch.storage.base import Results, Signature


class BatchStoppedError(RestoreError):
    """Ends a batch early: no further file can be restored; run again, it goes on."""

    def __init__(self, cause: RestoreError) -> None:
        super().__init__(cause.what, path=cause.path, hint=cause.hint)
        self.exit_code = cause.exit_code
        self.__cause__ = cause


@dataclass(frozen=True, slots=True)
class KnownResults:
    """The results in a folder, as the journal remembers them.

    Attributes:
        results: the folder.
        journal: what was done in it.
        settings: checksum of everything that changes a result.
        retry_failed: inputs that failed before are not known.
        overwrite: files that no batch has written may be replaced.
    """

    results: Results
    journal: Journal
    settings: str
    retry_failed: bool = False
    overwrite: bool = False

    def outcome(self, item: Item, source: InputFile, *, is_claimed: bool = False) -> Outcome | None:
        """Return what became of an input earlier, if that still holds; None: it is to be restored.

        Args:
            item: the input, and the name of its result.
            source: the input.
            is_claimed: nobody else is at work on it.

        Raises:
            ImageError: the input cannot be read.
            BatchStoppedError: the journal cannot be written.
        """
        record = self.journal.last(item.output)
        if record is None or record.settings != self.settings or not source.is_of(record):
            return None
        path = self.results.path(item.output)
        if record.step == "failed":
            if self.retry_failed:
                return None
            error = ImageError(record.error, path=item.source, hint="--retry-failed tries again")
            return Outcome(item, "failed", path, reason="failed before", error=error)
        if record.step == "writing" and not is_claimed:
            return None
        if not self._is_intact(record):
            return None
        if record.step == "writing":  # its writer was killed before it could confirm
            self.remember(self.confirmed(record))
        return Outcome(item, "skipped", path, reason="done before")

    def foreseen(self, item: Item, source: InputFile) -> Outcome:
        """Return what would become of an input; nothing is written.

        Raises:
            ImageError: it cannot be read, or its result not be written.
        """
        outcome = self.outcome(item, source)
        if outcome is None:
            self.refuse_foreign(item)
            outcome = Outcome(item, "planned", self.results.path(item.output))
        return outcome

    def refuse_foreign(self, item: Item) -> None:
        """Refuse to replace a file that no batch has written.

        Raises:
            ImageError: there is one in the place of the result.
        """
        if self.may_replace(item):
            return
        if self.results.signature(item.output) is not None:
            path, hint = self.results.path(item.output), "--overwrite replaces it"
            raise ImageError("exists already, and not from a batch", path=path, hint=hint)

    def may_replace(self, item: Item) -> bool:
        """Return whether a file in the place of a result may be replaced, whatever it is."""
        return self.overwrite or self.journal.has_written(item.output)

    def remember(self, record: Record) -> None:
        """Write a record into the journal.

        Raises:
            BatchStoppedError: it cannot be written.
        """
        try:
            self.journal.append(record)
        except RestoreError as error:
            raise BatchStoppedError(error) from error

    def confirmed(self, record: Record, signature: Signature | None = None) -> Record:
        """Return a record of a result that is in its place."""
        signature = signature or self.results.signature(record.output)
        return replace(record, step="done", output_signature=signature)

    def _is_intact(self, record: Record) -> bool:
        signature = self.results.signature(record.output)
        if signature is None or signature[0] != record.output_size:
            return False
        if signature == record.output_signature:
            return True
        return self.results.sha256(record.output) == record.output_sha256
