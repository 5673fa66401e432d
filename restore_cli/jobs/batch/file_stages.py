"""What is done with each file: looked up, claimed, read, restored, written, remembered."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from restore_cli.errors import DeviceError, ImageError, RestoreError, UsageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.video.formats import video_suffix
from restore_cli.jobs.batch import videos
from restore_cli.jobs.batch.claims import Claims, claim_key
from restore_cli.jobs.batch.input_file import Source, source_of
from restore_cli.jobs.batch.journal import Journal
from restore_cli.jobs.batch.memory_shares import BatchMemory
from restore_cli.jobs.batch.pipeline import Stop, StoppedError
from restore_cli.jobs.batch.read_ahead_limit import Gate
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import BatchEvent, Item, Outcome
from restore_cli.jobs.batch.steps import compute, fit_memory, measure, open_bytes
from restore_cli.jobs.batch.storage.base import Results, Signature, Staged
from restore_cli.jobs.restore.memory_budget import Budget
from restore_cli.jobs.restore.opening import Opened, encode
from restore_cli.jobs.restore.pixels import OnTile
from restore_cli.jobs.restore.targets import as_failure

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore.options import RestoreOptions

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class BatchStoppedError(RestoreError):
    """No further file can be restored; what is done is done, and the batch can be run again."""

    def __init__(self, cause: RestoreError) -> None:
        super().__init__(cause.what, path=cause.path, hint=cause.hint)
        self.exit_code = cause.exit_code
        self.__cause__ = cause


@dataclass(slots=True)
class Work:
    """One file between its stages."""

    item: Item
    source: Source
    started_s: float
    held: ExitStack  # claim, room in memory
    key: str = ""
    opened: Opened | None = None
    budget: Budget | None = None
    image: Image | None = None  # the restored one
    staged: Staged | None = None  # what was written in parts
    is_video: bool = False
    size: tuple[int | None, int | None] = (None, None)  # of the result
    notes: tuple[str, ...] = ()
    compute_s: float = 0.0
    error: RestoreError | None = None
    is_lasting: bool = False  # the error will be the same next time


@dataclass(slots=True)
class FileStages:
    """The stages of a pipeline that restores files."""

    options: RestoreOptions
    settings: str
    results: Results
    journal: Journal
    claims: Claims
    memory: BatchMemory
    load: Callable[[], Restorer]
    stop: Stop
    tell: Callable[[BatchEvent], None]
    retry_failed: bool = False
    fail_fast: bool = False
    deferred: list[Item] = field(default_factory=list)
    """What other processes are at work on."""
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.memory.room_bytes)

    def prepare(self, item: Item) -> Work | None:
        work = Work(item, Source(item.source, None), time.monotonic(), ExitStack())
        is_left = False
        try:
            with _collected(work):
                work.source = source_of(item)
                is_left = self._prepare(work)
        except BaseException:
            work.held.close()
            raise
        if is_left or work.error:
            return work
        work.held.close()
        return None

    def _prepare(self, work: Work) -> bool:
        """Say whether there is something to restore."""
        item = work.item
        self.journal.refresh()
        outcome = self.known(item, work.source)
        if outcome is None:
            work.key = claim_key(item.output)
            claim = self.claims.take(work.key)
            if claim is None:
                self.deferred.append(item)
                return False
            work.held.callback(claim.release)
            self.journal.refresh()  # its last holder may have written it
            outcome = self.known(item, work.source, is_claimed=True)
        if outcome is not None:
            self._say(outcome)
            return False
        self._refuse_foreign(item)
        return self._open(work)

    def known(self, item: Item, source: Source, *, is_claimed: bool = False) -> Outcome | None:
        """Return what became of a file earlier, if that still holds; None: it is to be restored.

        Raises:
            ImageError: the input cannot be read.
        """
        record = self.journal.last(item.output)
        if record is None or record.settings != self.settings:
            return None
        if not source.is_of(record):
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
        if record.step == "writing":  # whoever wrote it was killed before it could say so
            self._remember(self._confirmed(record))
        return Outcome(item, "skipped", path, reason="done before")

    def foreseen(self, item: Item, source: Source) -> Outcome:
        """Return what would become of a file; nothing is written.

        Raises:
            ImageError: it cannot be read, or its result not be written.
        """
        outcome = self.known(item, source)
        if outcome is None:
            self._refuse_foreign(item)
            outcome = Outcome(item, "planned", self.results.path(item.output))
        return outcome

    def _is_intact(self, record: Record) -> bool:
        signature = self.results.signature(record.output)
        if signature is None or signature[0] != record.output_size:
            return False
        if signature == record.output_signature:
            return True
        return self.results.sha256(record.output) == record.output_sha256

    def _refuse_foreign(self, item: Item) -> None:
        """Pass a place that is empty, or holds what a batch has put there.

        Raises:
            ImageError: somebody else's file is there, and must not be replaced.
        """
        if self.options.writing.overwrite or self.journal.has_written(item.output):
            return
        if self.results.signature(item.output) is not None:
            path, hint = self.results.path(item.output), "--overwrite replaces it"
            raise ImageError("exists already, and not from a batch", path=path, hint=hint)

    def _open(self, work: Work) -> bool:
        """Decode as soon as there is room; say whether the work goes on."""
        if video_suffix(work.item.source):
            return self._open_video(work)
        in_parts = self.memory.open_in_parts(work.item, self.results, self.options)
        if in_parts is not None:
            work.held.callback(in_parts.opened.close)
            work.opened, work.budget = in_parts.opened, in_parts.budget
            work.source.sha256, work.source.signature = in_parts.sha256, in_parts.signature
            need_bytes = in_parts.need_bytes
            return self._enter(work, need_bytes)
        data = work.source.take()
        need_bytes, work.budget = self.memory.share(measure(data), self.options.scale)
        if not self._enter(work, need_bytes):
            return False
        work.is_lasting = True
        work.opened = open_bytes(
            data, work.item.source, work.item.output, self.options, work.budget
        )
        return True

    def _open_video(self, work: Work) -> bool:
        """Its frames are decoded while the network works."""
        videos.check(work.item, self.results)
        work.source.checksum()
        need_bytes, work.budget = self.memory.share(None, self.options.scale)
        work.is_video = work.is_lasting = True
        return self._enter(work, need_bytes)

    def _enter(self, work: Work, need_bytes: int) -> bool:
        if not self.gate.enter(need_bytes, self.stop.is_wanted):
            return False
        work.held.callback(self.gate.leave, need_bytes)
        return True

    def compute(self, work: Work) -> None:
        if work.error is None:
            self._compute(work)
        if work.error is not None and self.fail_fast:
            self.stop.wanted = True  # before the next one comes to the network

    def _compute(self, work: Work) -> None:
        if work.budget is None:
            return
        restorer = self.load()
        if self.stop.wanted:
            raise StoppedError
        self.tell(BatchEvent("start", path=work.item.source))
        started_s = time.monotonic()
        with _collected(work):
            if work.opened is not None:
                self._restore(work, work.opened, restorer, work.budget)
            elif work.is_video:
                self._restore_video(work, restorer, work.budget)
        work.compute_s = time.monotonic() - started_s

    def _restore(self, work: Work, opened: Opened, restorer: Restorer, budget: Budget) -> None:
        on_tile = self._on_tile(work)
        if opened.reader is None:
            work.image = compute(opened, restorer, self.options, budget, on_tile)
            work.size = (work.image.width, work.image.height)
        else:
            fit_memory(opened, restorer, self.options, budget)
            work.staged, notes = self.memory.restore_in_parts(
                opened, restorer, self.results, work.item, work.key, self.options, on_tile
            )
            work.notes = notes
            work.size = (opened.image.width, opened.image.height)

    def _restore_video(self, work: Work, restorer: Restorer, budget: Budget) -> None:
        work.staged, result = videos.restore_file(
            work.item, work.key, self.results, self.options, restorer, budget, self._on_tile(work)
        )
        work.notes, work.size = result.notes, (result.width, result.height)

    def _on_tile(self, work: Work) -> OnTile:
        def on_tile(done: int, total: int) -> None:
            if self.stop.wanted:
                raise StoppedError
            self.tell(BatchEvent("tiles", path=work.item.source, done=done, total=total))

        return on_tile

    def finish(self, work: Work) -> None:
        if work.error is None:
            with _collected(work):
                self._finish(work)
        if work.error is not None:
            if work.staged is not None:
                work.staged.drop()
            self._fail(work, as_failure(work.error, work.item.source))
        work.held.close()

    def _finish(self, work: Work) -> None:
        item, opened = work.item, work.opened
        in_parts = work.image is None
        if work.image is not None and opened is not None:
            data, notes = encode(work.image, opened.target, self.options)
            work.notes = (*work.image.notes, *notes)
            work.image = None
            work.is_lasting = False  # from here on, only the disk can fail
            work.staged = self.results.stage(item.output, data, work.key)
        if work.staged is None:
            return
        record = Record(
            "writing", item.output, item.relative, work.source.sha256, self.settings,
            work.source.signature, work.staged.sha256, work.staged.size,
            seconds=work.compute_s,
        )  # fmt: skip
        self._remember(record)
        signature = work.staged.commit()
        self._remember(self._confirmed(record, signature))
        self._say(
            Outcome(
                item, "done", self.results.path(item.output),
                width=work.size[0], height=work.size[1], in_parts=in_parts,
                seconds=time.monotonic() - work.started_s, compute_s=work.compute_s,
                notes=work.notes,
            )
        )  # fmt: skip

    def drop(self, work: Work) -> None:
        if work.staged is not None:
            work.staged.drop()
        work.held.close()

    def _confirmed(self, record: Record, signature: Signature | None = None) -> Record:
        signature = signature or self.results.signature(record.output)
        return replace(record, step="done", output_signature=signature)

    def _fail(self, work: Work, error: RestoreError) -> None:
        if _is_final(error):
            raise BatchStoppedError(error)
        # What is wrong with the file stays wrong; memory, disks and what is installed may change.
        is_unlucky = type(error) is RestoreError or isinstance(error, DeviceError | UsageError)
        is_lasting = work.is_lasting and not is_unlucky
        if is_lasting and work.source.sha256:
            self._remember(
                Record(
                    "failed", work.item.output, work.item.relative, work.source.sha256,
                    self.settings, work.source.signature, error=error.what,
                )
            )  # fmt: skip
        path = self.results.path(work.item.output)
        self._say(Outcome(work.item, "failed", path, error=error))

    def _remember(self, record: Record) -> None:
        try:
            self.journal.append(record)
        except RestoreError as error:
            raise BatchStoppedError(error) from error

    def _say(self, outcome: Outcome) -> None:
        self.tell(BatchEvent("file", path=outcome.item.source, outcome=outcome))


@contextmanager
def _collected(work: Work) -> Iterator[None]:
    """Catch what concerns one file only."""
    try:
        yield
    except (BatchStoppedError, StoppedError, BrokenPipeError):
        raise
    except RestoreError as error:
        work.error = error
    except MemoryError as error:
        work.error = DeviceError("out of memory", hint="try a smaller --tile")
        work.error.__cause__ = error
    except Exception as error:  # noqa: BLE001 - one odd file must not cost the others their turn
        work.error = RestoreError(f"unexpected {type(error).__name__}: {error}")
        work.error.__cause__ = error


def _is_final(error: BaseException) -> bool:
    """Say whether an error would meet every other file, too."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BatchStoppedError):
            return True
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        cause = cause.__cause__
    return False
