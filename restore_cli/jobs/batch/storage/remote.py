"""Reads and writes behind URLs, such as s3://bucket/folder, through fsspec.

Object stores cannot append, rename or lock. So an object is put in its place at once, the journal
is one small object for each result, and nothing can be claimed.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restore_cli.errors import ImageError, UsageError
from restore_cli.jobs.batch.claims import claim_key
from restore_cli.jobs.batch.journal import now
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.storage.base import (
    Content,
    Entry,
    Kind,
    Signature,
    Staging,
    scheme_of,
)
from restore_cli.jobs.json_report import JsonObject

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

INSTALL = "pip install 'restore-cli[cluster]'"

JOURNAL_FOLDER = ".restore-journal"


def file_system(url: str) -> AbstractFileSystem:
    """Return the file system that reads and writes URLs of this scheme.

    Raises:
        UsageError: the package for it is missing, or there is no such scheme.
    """
    try:
        import fsspec

        # A "::" in a name would be read as one store seen through another.
        return fsspec.url_to_fs(url.partition("::")[0])[0]
    except ImportError as error:
        raise UsageError(f"cannot open URLs: {error}", path=url, hint=INSTALL) from error
    except ValueError as error:
        raise UsageError(f"cannot open this URL: {error}", path=url) from error


class RemoteStorage:
    """Reads objects by their URLs."""

    is_local = False

    def __init__(self, url: str) -> None:
        """Connect to the store of a URL.

        Raises:
            UsageError: the package for it is missing, or there is no such scheme.
        """
        self._scheme = scheme_of(url) or ""
        self._files = file_system(url)

    def kind(self, path: str) -> Kind | None:
        with _failures(path):
            if self._files.isdir(path):
                return "folder"
            return "file" if self._files.exists(path) else None

    def entries(self, folder: str) -> Iterator[Entry]:
        with _failures(folder):
            found = self._files.ls(folder, detail=True, refresh=True)
        own = str(self._files._strip_protocol(folder)).rstrip("/")
        for facts in sorted(found, key=lambda facts: str(facts["name"])):
            name = str(facts["name"]).rstrip("/")
            if name == own:  # some stores list the folder itself
                continue
            kind: Kind = "folder" if facts["type"] == "directory" else "file"
            last = posixpath.basename(name)
            yield Entry(last, f"{folder.rstrip('/')}/{last}", kind)

    def matches(self, pattern: str) -> list[str]:
        with _failures(pattern):
            found = self._files.glob(pattern)
        return sorted(f"{self._scheme}://{str(path).strip('/')}" for path in found)

    def read(self, path: str) -> Content:
        signature = self.signature(path)
        with _failures(path):
            data = self._files.cat_file(path)
        return Content(data, signature if signature == self.signature(path) else None)

    def checksum(self, path: str) -> tuple[str, Signature | None]:
        content = self.read(path)
        return hashlib.sha256(content.data).hexdigest(), content.signature

    def local_path(self, path: str) -> str | None:
        return None

    def head(self, path: str, size: int) -> bytes:
        with _failures(path):
            return bytes(self._files.cat_file(path, start=0, end=size))

    def signature(self, path: str) -> Signature | None:
        try:
            return _signature(self._files, path)
        except ImageError:
            return None

    def identity(self, path: str) -> str:
        return f"{self._scheme}://{str(self._files._strip_protocol(path)).strip('/')}"


class RemoteResults:
    """A folder of results in an object store."""

    is_local = False

    def __init__(self, url: str) -> None:
        """Connect to the store of a URL.

        Raises:
            UsageError: the package for it is missing, or there is no such scheme.
        """
        self.title = url.rstrip("/")
        self.files = file_system(url)
        self._storage = RemoteStorage(url)

    def prepare(self) -> None:
        # Object stores have no folders: this would make buckets, in someone else's name.
        if _renames(self):
            with _failures(self.title):
                self.files.makedirs(self.title, exist_ok=True)

    def path(self, name: str) -> str:
        return self.title if name == "." else f"{self.title}/{name}"

    def identity(self, name: str) -> str:
        return self._storage.identity(self.path(name))

    def signature(self, name: str) -> Signature | None:
        return _signature(self.files, self.path(name))

    def sha256(self, name: str) -> str | None:
        try:
            return hashlib.sha256(self._storage.read(self.path(name)).data).hexdigest()
        except ImageError:
            return None

    def stage(self, name: str, data: bytes, key: str) -> StagedObject:
        if ".." in name.split("/") or name.startswith("/"):
            raise ImageError("is outside the folder of results", path=name)
        return StagedObject(self, name, data, len(data), hashlib.sha256(data).hexdigest())

    def staging(self, name: str, key: str) -> AbstractContextManager[Staging]:
        raise ImageError("an object store takes no file in parts", path=self.path(name))


@dataclass(slots=True)
class StagedObject:
    """A result for a store, which shows it once it is complete."""

    results: RemoteResults
    name: str
    data: bytes
    size: int
    sha256: str

    def commit(self) -> Signature | None:
        put_whole(self.results, self.name, self.data)
        return self.results.signature(self.name)

    def drop(self) -> None:
        """Do nothing: nothing was written."""


def put_whole(results: RemoteResults, name: str, data: bytes) -> None:
    """Put an object in its place, whole or not at all.

    Raises:
        ImageError: it cannot be written.
    """
    path = results.path(name)
    with _failures(path, missing="no such bucket"):
        # Object stores show what was put when it is complete; elsewhere a rename does that.
        if _renames(results):
            temporary = f"{posixpath.dirname(path)}/.restore-{claim_key(name)}.part"
            results.files.makedirs(posixpath.dirname(path), exist_ok=True)
            results.files.pipe_file(temporary, data)
            results.files.mv(temporary, path)
        else:
            results.files.pipe_file(path, data)


def _renames(results: RemoteResults) -> bool:
    """Return whether the URL leads to files in folders, which can be renamed."""
    return getattr(results.files, "local_file", False) or scheme_of(results.title) in _RENAMING


_RENAMING = {"file", "local", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs", "dbfs"}


class RemoteJournal:
    """Keeps the journal as one object for each result."""

    damaged = 0

    def __init__(self, results: RemoteResults) -> None:
        """Read what earlier runs have done.

        Raises:
            ImageError: it cannot be read.
        """
        self._results = results
        self._last: dict[str, Record] = {}
        folder = results.path(JOURNAL_FOLDER)
        with _failures(folder):
            found = results.files.find(folder) if results.files.exists(folder) else []
            objects = results.files.cat(found) if found else {}
        for data in [objects] if isinstance(objects, bytes) else objects.values():
            self._parse(data)

    def last(self, output: str) -> Record | None:
        return self._last.get(output)

    def has_written(self, output: str) -> bool:
        # A later failure takes the place of the record; its result is rather replaced than kept.
        return output in self._last

    def refresh(self) -> None:
        """Do nothing: others work on other shards."""

    def append(self, record: Record) -> None:
        self._put(claim_key(record.output), record.to_line(now()))
        self._last[record.output] = record

    def describe(self, settings: str, values: JsonObject) -> None:
        self._put(f"settings-{settings}", {"step": "settings", "settings": settings, **values})

    def _put(self, name: str, values: JsonObject) -> None:
        data = json.dumps(values).encode() + b"\n"
        put_whole(self._results, f"{JOURNAL_FOLDER}/{name}.json", data)

    def _parse(self, data: bytes) -> None:
        try:
            record = Record.of_line(json.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError):
            self.damaged += 1
            return
        if record is not None:
            self._last[record.output] = record


def _signature(files: AbstractFileSystem, path: str) -> Signature | None:
    """Return what changes when an object does; None: there is none, or nobody can say.

    Raises:
        ImageError: the store does not answer.
    """
    try:
        with _failures(path):
            facts: dict[str, Any] = files.info(path)
            # The rest of what is known differs between a listing and a look at one object.
            tag = facts.get("ETag") or facts.get("etag") or files.ukey(path)
            return int(facts["size"]), str(tag).strip('"')
    except ImageError as error:
        if isinstance(error.__cause__, _UNKNOWN):
            return None
        raise


_UNKNOWN = (FileNotFoundError, KeyError, TypeError, NotImplementedError)


@contextmanager
def _failures(path: str, missing: str = "no such file or bucket") -> Iterator[None]:
    """Turn what a store raises into ours: each has its own exceptions.

    Raises:
        ImageError: whatever went wrong.
    """
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(missing, path=path, hint="check the name") from error
    except PermissionError as error:
        what = f"access is refused: {_one_line(error)}"
        raise ImageError(what, path=path, hint="check your keys and rights") from error
    except Exception as error:
        what = f"cannot be reached: {type(error).__name__}: {_one_line(error)}"
        raise ImageError(what, path=path, hint="check the address and your rights") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
