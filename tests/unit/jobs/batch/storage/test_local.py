from __future__ import annotations

import hashlib
import os

import pytest

from restore_cli.errors import ImageError
from restore_cli.jobs.batch.claims import claim_key
from restore_cli.jobs.batch.storage.local import LocalResults, LocalStorage

KEY = claim_key("a.png")


@pytest.fixture
def results(tmp_path):
    place = LocalResults(str(tmp_path / "out"))
    place.prepare()
    return place


def age(path, seconds=60):
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns - seconds * 10**9))


def test_reading(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"content")
    storage = LocalStorage()
    assert storage.read(str(path)).data == b"content"
    assert storage.read(str(path)).signature is None  # it may change within the clock's steps
    age(path)
    signature = storage.read(str(path)).signature
    assert signature == storage.signature(str(path))
    assert storage.checksum(str(path)) == (hashlib.sha256(b"content").hexdigest(), signature)
    assert storage.head(str(path), 3) == b"con"
    times = path.stat()
    path.write_bytes(b"CONTENT")  # as long, and its time is set back
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert storage.signature(str(path)) != signature


def test_what_is_no_file(tmp_path):
    storage = LocalStorage()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("gone")
    for name, what in (
        ("pipe.png", "regular"), ("link.png", "link to nothing"), ("gone.png", "no such file"),
        (".", "folder"), ("a\0b", "cannot read"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=what):
            storage.read(str(tmp_path / name) if name != "." else str(tmp_path))
    assert storage.kind(str(tmp_path / "pipe.png")) == "other"
    assert storage.kind(str(tmp_path / "gone.png")) is None
    with pytest.raises(ImageError, match="cannot be read"):
        list(storage.entries(str(tmp_path / "gone")))


def test_writing(results, tmp_path):
    staged = results.stage("sub/a.png", b"content", KEY)
    place = tmp_path / "out" / "sub" / "a.png"
    assert not place.exists()
    assert (staged.size, staged.sha256) == (7, hashlib.sha256(b"content").hexdigest())
    signature = staged.commit()
    assert place.read_bytes() == b"content"
    assert signature == results.signature("sub/a.png")
    assert results.sha256("sub/a.png") == staged.sha256
    results.stage("sub/a.png", b"other", KEY).drop()
    assert [path.name for path in place.parent.iterdir()] == ["a.png"]
    results.stage("sub/a.png", b"other", KEY).commit()
    assert place.read_bytes() == b"other"
    assert results.signature("sub/a.png") != signature
    umask = os.umask(0)
    os.umask(umask)
    assert place.stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_a_killed_run_left_is_replaced(results, tmp_path):
    results.stage("a.png", b"first", KEY)
    results.stage("a.png", b"second", KEY).commit()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"second"


def test_staging_in_parts(results, tmp_path):
    with results.staging("sub/a.tif", KEY) as staging:
        staging.path.write_bytes(b"content")
    staged = staging.staged
    assert staged.sha256 == hashlib.sha256(b"content").hexdigest()
    staged.commit()
    assert [path.name for path in (tmp_path / "out" / "sub").iterdir()] == ["a.tif"]


def test_what_fails_in_parts_leaves_nothing(results, tmp_path):
    def fail():
        with results.staging("sub/b.tif", KEY) as staging:
            staging.path.write_bytes(b"half")
            raise KeyError

    (tmp_path / "out" / "sub").mkdir()
    (tmp_path / "out" / "sub" / "a.tif").touch()
    with pytest.raises(KeyError):
        fail()
    assert [path.name for path in (tmp_path / "out" / "sub").iterdir()] == ["a.tif"]


@pytest.mark.parametrize("name", ["../a.png", "sub/../../a.png", "/etc/a.png"])
def test_names_do_not_lead_out(results, tmp_path, name):
    with pytest.raises(ImageError, match="outside"):
        results.stage(name, b"x", KEY)
    assert not (tmp_path / "a.png").exists()


def test_links_do_not_lead_out(results, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out" / "sub").symlink_to(outside)
    (tmp_path / "out" / "a.png").symlink_to(outside / "a.png")
    (tmp_path / "out" / f".restore-{KEY}.part").symlink_to(outside / "b.png")
    for name in ("sub/b.png", "sub/deeper/b.png", "a.png"):
        with pytest.raises(ImageError, match="link"):
            results.stage(name, b"x", KEY)
    results.stage("c.png", b"x", KEY).commit()
    assert not list(outside.iterdir())


def test_a_linked_folder_of_results_is_the_users_choice(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    results = LocalResults(str(tmp_path / "link"))
    results.prepare()
    results.stage("a.png", b"x", KEY).commit()
    assert (tmp_path / "real" / "a.png").exists()


def test_the_folder_of_results_may_be_no_file(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ImageError, match="not a folder"):
        LocalResults(str(tmp_path / "out")).prepare()
