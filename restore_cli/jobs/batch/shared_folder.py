"""Opens what batches share in a folder of results: the journal, and the claims on single files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.claims import Claims, NoClaims, claims_in
from restore_cli.jobs.batch.journal import JOURNAL_NAME, EmptyJournal, FileJournal, Journal
from restore_cli.jobs.batch.ray.worker_reports import adopt_reports
from restore_cli.jobs.batch.stale_files import remove_stale_files
from restore_cli.jobs.batch.storage.base import Results
from restore_cli.jobs.batch.storage.local import LocalResults


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """A folder of results, as a batch that works in it sees it."""

    journal: Journal
    claims: Claims
    notes: tuple[str, ...] = ()  # what the user should know


@contextmanager
def shared_folder(results: Results, *, is_cluster: bool) -> Iterator[SharedFolder]:
    """Enter a folder of results to work in it, and tidy up what killed batches left there.

    Args:
        results: the folder.
        is_cluster: a cluster works in it; it has the folder alone.

    Raises:
        ImageError: another batch does not allow that, or the folder cannot be written to.
    """
    if not isinstance(results, LocalResults):
        note = "nothing can be claimed in an object store: share the work with --shard"
        journal = _remote_journal(results)
        yield SharedFolder(journal, NoClaims(), (note, *_damage(journal)))
        return
    with ExitStack() as open_things:
        root = results.root
        claims = claims_in(root)
        if not isinstance(claims, NoClaims):
            open_things.callback(claims.close)
        _enter(claims, results, open_things, is_cluster=is_cluster)
        journal = FileJournal(root)
        open_things.callback(journal.close)
        _tidy_up(root, journal, claims)
        if is_cluster:  # its workers may have been killed at any moment
            open_things.callback(_tidy_up, root, journal, claims)
        notes = (claims.note,) if claims.note else ()
        yield SharedFolder(journal, claims, (*notes, *_damage(journal)))


@contextmanager
def folder_to_read(results: Results) -> Iterator[SharedFolder]:
    """Open a folder of results to see what earlier batches have done; nothing is written.

    Raises:
        ImageError: the journal cannot be read.
    """
    with ExitStack() as open_things:
        journal: Journal
        if not isinstance(results, LocalResults):
            journal = _remote_journal(results)
        elif (results.root / JOURNAL_NAME).exists():
            journal = file = FileJournal(results.root, read_only=True)
            open_things.callback(file.close)
        else:
            journal = EmptyJournal()
        yield SharedFolder(journal, NoClaims(), _damage(journal))


def _enter(claims: Claims, results: Results, open_things: ExitStack, *, is_cluster: bool) -> None:
    """Share the folder with other batches on this machine; a cluster has it alone.

    Raises:
        ImageError: others are at work there.
    """
    right = claims.enter(alone=is_cluster)
    if right is None:
        what = "another batch is" if is_cluster else "a batch with --engine ray is"
        hint = "wait for it, or choose another folder with -o"
        raise ImageError(f"{what} at work here", path=results.title, hint=hint)
    open_things.callback(right.release)


def _tidy_up(root: Path, journal: Journal, claims: Claims) -> None:
    """Remove and write down what killed batches left in a folder."""
    if not isinstance(claims, NoClaims):
        remove_stale_files(root, claims)
    adopt_reports(root, journal)


def _remote_journal(results: Results) -> Journal:
    from restore_cli.jobs.batch.storage.remote import RemoteJournal, RemoteResults

    if not isinstance(results, RemoteResults):
        raise TypeError(f"no journal for {type(results)}")
    return RemoteJournal(results)


def _damage(journal: Journal) -> tuple[str, ...]:
    if not journal.damaged:
        return ()
    return (f"{journal.damaged} damaged lines in the journal are passed over",)
