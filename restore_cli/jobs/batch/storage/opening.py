"""Opens the storage that a path or URL names."""

from __future__ import annotations

from restore_cli.jobs.batch.storage.base import Results, Storage, scheme_of


def storage_for(path: str) -> Storage:
    """Return the storage that reads a path or URL.

    Raises:
        UsageError: the package that reads such URLs is missing, or there is none.
    """
    if scheme_of(path) is None:
        from restore_cli.jobs.batch.storage.local import LocalStorage

        return LocalStorage()
    from restore_cli.jobs.batch.storage.remote import RemoteStorage

    return RemoteStorage(path)


def results_in(folder: str) -> Results:
    """Return the folder of results at a path or URL; nothing is created yet.

    Raises:
        UsageError: the package that writes such URLs is missing, or there is none.
    """
    if scheme_of(folder) is None:
        from restore_cli.jobs.batch.storage.local import LocalResults

        return LocalResults(folder)
    from restore_cli.jobs.batch.storage.remote import RemoteResults

    return RemoteResults(folder)
