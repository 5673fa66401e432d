"""Takes one file through a batch: look it up, claim, load, restore, write, remember."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from restore_cli.errors import DeviceError, ImageError, RestoreError, UsageError
from restore_cli.jobs.batch.claims import Claims, claim_key
from restore_cli.jobs.batch.input_file import InputFile, input_file_of
from restore_cli.jobs.batch.known_results import BatchStoppedError, KnownResults
from restore_cli.jobs.batch.memory_shares import MemoryShares
from restore_cli.jobs.batch.output_file import OutputFile
from restore_cli.jobs.batch.pipeline import Stop, StoppedError
from restore_cli.jobs.batch.read_ahead_limit import ReadAheadLimit
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import BatchEvent, Item, Outcome
from restore_cli.jobs.restore.memory_budget import Budget
from restore_cli.jobs.restore.opening import open_work
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.jobs.restore.targets import Target, as_failure
from restore_cli.jobs.restore.work import Restored, Step, Work
from restore_cli.methods.method import Method

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(slots=True)
class FileAtWork:
    """One file on its way through the stages."""

    item: Item
    source: InputFile
    started_s: float
    held: ExitStack  # released in the end: the claim, the room in memory, open files
    output: OutputFile | None = None
    work: Work | None = None
    budget: Budget | None = None
    restored: Restored | None = None
    compute_s: float = 0.0
    error: RestoreError | None = None
    is_opened: bool = False  # from then on, failures are the file's fault, unless a disk fails


@dataclass(slots=True)
class FileStages:
    """The stages of the pipeline that restores files."""

    options: RestoreOptions
    known: KnownResults
    claims: Claims
    memory: MemoryShares
    load: Callable[[], Method]
    stop: Stop
    tell: Callable[[BatchEvent], None]
    fail_fast: bool = False
    deferred: list[Item] = field(default_factory=list)
    """Items that other processes work on."""
    limit: ReadAheadLimit = field(init=False)

    def __post_init__(self) -> None:
        self.limit = ReadAheadLimit(self.memory.room_bytes)

    def prepare(self, item: Item) -> FileAtWork | None:
        file = FileAtWork(item, InputFile(item.source), time.monotonic(), ExitStack())
        is_left = False
        try:
            with _collected(file):
                file.source = input_file_of(item)
                is_left = self._prepare(file)
        except BaseException:
            file.held.close()
            raise
        if is_left or file.error:
            return file
        file.held.close()
        return None

    def _prepare(self, file: FileAtWork) -> bool:
        """Return whether there is something to restore."""
        item, journal = file.item, self.known.journal
        journal.refresh()
        outcome = self.known.outcome(item, file.source)
        key = claim_key(item.output)
        if outcome is None:
            claim = self.claims.take(key)
            if claim is None:
                self.deferred.append(item)
                return False
            file.held.callback(claim.release)
            journal.refresh()  # the claim's last holder may have written it
            outcome = self.known.outcome(item, file.source, is_claimed=True)
        if outcome is not None:
            self._say(outcome)
            return False
        self.known.refuse_foreign(item)
        file.output = OutputFile(self.known.results, item, key)
        return self._open(file)

    def _open(self, file: FileAtWork) -> bool:
        """Load as soon as there is room; return whether the work goes on."""
        item, source = file.item, file.source
        is_remote = not self.known.results.is_local
        target = Target(item.source, item.output, explicit=True, is_remote=is_remote)
        file.is_opened = True
        work = open_work(source, target, self.options, self.memory.whole)
        file.held.callback(work.close)
        need_bytes = work.room_bytes(self.memory.whole.limit_bytes)
        source.checksum()
        if not self.limit.enter(need_bytes, self.stop.is_wanted):
            return False
        file.held.callback(self.limit.leave, need_bytes)
        file.budget = self.memory.budget_for(need_bytes)
        work.load(file.budget)
        file.work = work
        return True

    def compute(self, file: FileAtWork) -> None:
        if file.error is None:
            self._compute(file)
        if file.error is not None and self.fail_fast:
            self.stop.wanted = True  # before the next one comes to the network

    def _compute(self, file: FileAtWork) -> None:
        if file.work is None or file.budget is None or file.output is None:
            return
        method = self.load()
        if self.stop.wanted:
            raise StoppedError

        def on_step(step: Step) -> None:
            if self.stop.wanted:
                raise StoppedError
            # Where nobody knows how many frames there are, there is one more.
            total = max(step.total, step.done + (not step.total))
            self.tell(BatchEvent("tiles", path=file.item.source, done=step.done, total=total))

        self.tell(BatchEvent("start", path=file.item.source))
        started_s = time.monotonic()
        with _collected(file):
            planned = file.work.plan(method, file.budget)
            file.restored = planned.restore(file.output, on_step)
        file.compute_s = time.monotonic() - started_s

    def finish(self, file: FileAtWork) -> None:
        if file.error is None:
            with _collected(file):
                self._finish(file)
        if file.error is not None:
            if file.output is not None:
                file.output.drop()
            self._fail(file, as_failure(file.error, file.item.source))
        file.held.close()

    def _finish(self, file: FileAtWork) -> None:
        if file.restored is None or file.output is None:
            return
        item, source, known = file.item, file.source, self.known
        notes = file.restored.store(file.output)
        staged = file.output.staged
        if staged is None:
            raise ValueError("the result was not written")
        record = Record(
            "writing", item.output, item.relative, source.sha256, known.settings,
            source.signature, staged.sha256, staged.size, seconds=file.compute_s,
        )  # fmt: skip
        self.known.remember(record)
        signature = staged.commit()
        known.remember(known.confirmed(record, signature))
        facts = file.restored.facts
        self._say(
            Outcome(
                item, "done", known.results.path(item.output),
                width=facts.width, height=facts.height, in_parts=facts.in_parts,
                seconds=time.monotonic() - file.started_s, compute_s=file.compute_s, notes=notes,
            )
        )  # fmt: skip

    def drop(self, file: FileAtWork) -> None:
        if file.output is not None:
            file.output.drop()
        file.held.close()

    def _fail(self, file: FileAtWork, error: RestoreError) -> None:
        if _is_final(error):
            raise BatchStoppedError(error)
        item, source = file.item, file.source
        is_at_fault = file.is_opened and (file.output is None or not file.output.has_failed)
        if is_at_fault and _is_lasting(error):
            with suppress(ImageError):  # it can no longer be read: nothing is remembered
                self.known.remember(
                    Record(
                        "failed", item.output, item.relative, source.checksum(),
                        self.known.settings, source.signature, error=error.what,
                    )
                )  # fmt: skip
        path = self.known.results.path(item.output)
        self._say(Outcome(item, "failed", path, error=error))

    def _say(self, outcome: Outcome) -> None:
        self.tell(BatchEvent("file", path=outcome.item.source, outcome=outcome))


@contextmanager
def _collected(file: FileAtWork) -> Iterator[None]:
    """Catch what concerns one file only."""
    try:
        yield
    except (BatchStoppedError, StoppedError, BrokenPipeError):
        raise
    except RestoreError as error:
        file.error = error
    except MemoryError as error:
        file.error = DeviceError("out of memory", hint="try a smaller --tile")
        file.error.__cause__ = error
    except Exception as error:  # noqa: BLE001 - one odd file must not cost the others their turn
        file.error = RestoreError(f"unexpected {type(error).__name__}: {error}")
        file.error.__cause__ = error


def _is_lasting(error: RestoreError) -> bool:
    """Return whether an error will be the same next time.

    What is wrong with a file stays wrong; memory, disks and installed packages may change.
    """
    if type(error) is RestoreError or isinstance(error, DeviceError | UsageError):
        return False
    return not any(isinstance(cause, OSError) for cause in _causes(error))


def _is_final(error: RestoreError) -> bool:
    """Return whether an error would meet every other file, too."""
    return any(
        isinstance(cause, BatchStoppedError)
        or (isinstance(cause, OSError) and cause.errno in _DISK_FULL)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
