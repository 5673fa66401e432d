from __future__ import annotations

import uuid

import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.storage.base import scheme_of
from restore_cli.jobs.batch.storage.opening import results_in, storage_for
from restore_cli.jobs.batch.storage.remote import RemoteJournal, RemoteResults, RemoteStorage

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def url():
    """A folder in the memory of this process."""
    place = f"memory://{uuid.uuid4().hex}"
    yield place
    files, path = fsspec.url_to_fs(place)
    if files.exists(path):
        files.rm(path, recursive=True)


@pytest.fixture
def filled(url):
    files, _ = fsspec.url_to_fs(url)
    for name in ("a.png", "sub/b.png", "sub/deep/c.tif"):
        files.pipe_file(f"{url}/{name}", name.encode())
    return url


def test_values(filled):
    storage = storage_for(filled)
    assert isinstance(storage, RemoteStorage)
    assert storage.kind(filled) == "folder"
    assert storage.kind(f"{filled}/a.png") == "file"
    assert storage.kind(f"{filled}/gone.png") is None
    entries = list(storage.entries(filled))
    assert [(entry.name, entry.kind) for entry in entries] == [("a.png", "file"), ("sub", "folder")]
    assert storage.read(entries[0].path).data == b"a.png"
    assert storage.head(entries[0].path, 2) == b"a."
    assert storage.matches(f"{filled}/**/*.tif") == [f"{filled}/sub/deep/c.tif"]
    assert storage.identity(f"{filled}/sub/") == storage.identity(f"{filled}/sub")


def test_a_signature_changes_with_the_object(filled):
    storage = RemoteStorage(filled)
    before = storage.signature(f"{filled}/a.png")
    assert (
        before == storage.signature(f"{filled}/a.png") == storage.read(f"{filled}/a.png").signature
    )
    storage._files.pipe_file(f"{filled}/a.png", b"A.PNG")
    assert storage.signature(f"{filled}/a.png") != before
    assert storage.signature(f"{filled}/gone.png") is None
    with pytest.raises(ImageError, match="no such file"):
        storage.read(f"{filled}/gone.png")


def test_results(url):
    results = results_in(url)
    assert isinstance(results, RemoteResults)
    results.prepare()
    staged = results.stage("sub/a.png", b"content", "key")
    assert results.signature("sub/a.png") is None
    assert staged.commit() == results.signature("sub/a.png")
    assert results.sha256("sub/a.png") == staged.sha256
    for name in ("../a.png", "/a.png"):
        with pytest.raises(ImageError, match="outside"):
            results.stage(name, b"x", "key")


@pytest.mark.parametrize("count", [1, 3])
def test_the_journal_is_one_object_for_each_result(url, count):
    results = RemoteResults(url)
    journal = RemoteJournal(results)
    journal.describe("abc", {"tile": 64})
    for number in range(count):
        journal.append(Record("writing", f"{number}.png", "a", "1" * 64, "abc"))
        journal.append(
            Record("done", f"{number}.png", "a", "1" * 64, "abc", None, "2" * 64, 7, (7, "x"))
        )
    again = RemoteJournal(results)
    assert again.last("0.png") == journal.last("0.png")
    assert again.last("0.png").step == "done"
    assert again.has_written(f"{count - 1}.png")
    assert (again.last("9.png"), again.damaged) == (None, 0)


@pytest.mark.parametrize(
    ("path", "scheme"),
    [("s3://b/x", "s3"), ("GS://b", "gs"), ("/a/b://c", None), ("a.png", None), ("C:\\x", None)],
)
def test_schemes(path, scheme):
    assert scheme_of(path) == scheme


def test_what_is_missing_is_named():
    with pytest.raises(UsageError, match="cannot open this URL"):
        storage_for("nonsense://bucket/x")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="s3fs") as caught:
            storage_for("s3://bucket/x")
        assert "restore-cli[cluster]" in caught.value.hint


class OneObject:
    """A store that describes an object as S3 does: a listing knows other things than a look."""

    error = None

    def __init__(self, **more):
        self.more = more

    def info(self, path):
        if self.error:
            raise self.error
        return {"name": path, "size": 7, "type": "file", "ETag": '"abc"', **self.more}

    def ukey(self, path):
        raise AssertionError("covers what differs")


def test_a_tag_is_the_signature(url):
    storage = RemoteStorage(url)
    storage._files = OneObject(ContentType="image/png")
    assert storage.signature(url) == (7, "abc")
    storage._files = OneObject(LastModified="yesterday")
    assert storage.signature(url) == (7, "abc")


@pytest.mark.parametrize(
    ("error", "text"),
    [(PermissionError("No\nkey"), "access is refused: No key"), (OSError("gone"), "OSError: gone")],
)
def test_a_store_that_cannot_tell_does_not_say_that_nothing_is_there(url, error, text):
    results = RemoteResults(url)
    results.files = OneObject()
    results.files.error = error
    with pytest.raises(ImageError, match=text):
        results.signature("a.png")
    results.files.error = FileNotFoundError("a.png")
    assert results.signature("a.png") is None


def test_two_colons_in_a_name_are_part_of_it(url):
    results = results_in(f"{url}/a::b")
    results.stage("c::d.png", b"content", "key").commit()
    assert storage_for(f"{url}/a::b/c::d.png").read(f"{url}/a::b/c::d.png").data == b"content"
