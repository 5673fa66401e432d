"""What `restore batch` promises: done once, the same bytes, and nothing lost on the way."""

from __future__ import annotations

import json
import os

import pytest

JOURNAL = ".restore-journal.jsonl"


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(folder):
    """Every file below a folder by its name there, but the journal."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != JOURNAL)


@pytest.fixture
def tree(folder, picture):
    for place in ("photos", "photos/sub", "photos/sub/deep"):
        (folder / place).mkdir()
    for name in ("a.png", "b.jpg", "sub/c.png", "sub/deep/d.tif"):
        picture(f"photos/{name}")
    return folder / "photos"


@pytest.fixture
def batch(restore, narrow_model_file):
    def run(*arguments, **options):
        return restore("batch", *arguments, "-m", narrow_model_file, **options)

    return run


def test_the_tree_is_kept_and_pixels_are_those_of_deblur(
    batch, restore, tree, folder, narrow_model_file
):
    done = batch("photos")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    results = folder / "photos_deblur"
    assert names(results) == ["a.png", "b.jpg", "sub/c.png", "sub/deep/d.tif"]
    for name in names(results):
        alone = restore("deblur", tree / name, "-o", "alone" + name[-4:], "-m", narrow_model_file)
        assert alone.returncode == 0
        assert (results / name).read_bytes() == (folder / f"alone{name[-4:]}").read_bytes()


def test_a_rerun_does_what_is_not_done(batch, tree, folder, picture):
    first = lines(batch("photos", "--json"))
    assert [line["status"] for line in first[:-1]] == ["done"] * 4
    results = folder / "photos_deblur"
    before = {name: (results / name).stat().st_mtime_ns for name in names(results)}
    assert lines(batch("photos", "--json"))[-1]["summary"]["skipped"] == 4

    picture("photos/new.png")
    (tree / "a.png").unlink()
    picture("photos/a.png")  # another picture
    (results / "b.jpg").unlink()
    (results / "sub/c.png").write_bytes(b"broken by a disk")
    again = {line["name"]: line["status"] for line in lines(batch("photos", "--json"))[:-1]}
    kept = {"sub/deep/d.tif": "skipped"}
    assert again == dict.fromkeys(("a.png", "b.jpg", "new.png", "sub/c.png"), "done") | kept
    assert (results / "sub/deep/d.tif").stat().st_mtime_ns == before["sub/deep/d.tif"]
    other = lines(batch("photos", "--json", "--strength", "0.5"))[-1]["summary"]
    assert (other["done"], other["skipped"]) == (5, 0)


def test_failures_are_collected_and_remembered(batch, tree, folder):
    (tree / "bad.png").write_bytes(b"no picture")
    done = batch("photos", "--json")
    assert done.returncode == 3
    assert lines(done)[-1]["summary"] | {"done": 4, "failed": 1} == lines(done)[-1]["summary"]
    (failure,) = [line for line in lines(done)[:-1] if line["status"] == "failed"]
    assert failure["error"]["file"].endswith("bad.png")
    again = batch("photos")
    assert again.returncode == 3
    assert b"--retry-failed" in again.stderr
    retried = lines(batch("photos", "--json", "--retry-failed"))
    (failure,) = [line for line in retried[:-1] if line["status"] == "failed"]
    assert "reason" not in failure
    (tree / "bad.png").write_bytes((tree / "a.png").read_bytes())
    assert batch("photos").returncode == 0
    assert "bad.png" in names(folder / "photos_deblur")


def test_dry_run_writes_nothing(batch, tree, folder):
    done = batch("photos", "--dry-run")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 4
    assert b"photos/a.png -> photos_deblur/a.png" in done.stdout
    assert not (folder / "photos_deblur").exists()


def test_results_inside_the_tree_are_no_inputs(batch, tree):
    for _ in range(2):
        summary = lines(batch("photos", "-o", "photos/results", "--json"))[-1]["summary"]
        assert summary["total"] == 4
    assert lines(batch("photos", "-o", "photos/other", "--json"))[-1]["summary"]["total"] == 4


def test_foreign_files_stay(batch, tree, folder):
    results = folder / "out"
    results.mkdir()
    (results / "a.png").write_bytes(b"precious")
    done = batch("photos", "-o", "out")
    assert done.returncode == 3
    assert b"--overwrite" in done.stderr
    assert (results / "a.png").read_bytes() == b"precious"
    assert batch("photos", "-o", "out", "--overwrite").returncode == 0
    assert (results / "a.png").read_bytes() != b"precious"


def test_a_list_with_odd_names(batch, folder, picture):
    picture("plain.png")
    data = (folder / "plain.png").read_bytes()
    odd = [b"new\nline.png", "\N{CAT FACE}.png".encode(), b"\xff\xfe.png", b" spaces .png"]
    (folder / "in").mkdir()
    for name in odd:
        (folder / "in" / os.fsdecode(name)).write_bytes(data)
    found = b"\0".join(b"in/" + name for name in odd)
    done = batch("-", "-0", "-o", "out", "-v", "--json", input=found)
    assert done.returncode == 0, done.stderr
    assert sorted(os.fsencode(path.name) for path in (folder / "out/in").iterdir()) == sorted(odd)
    assert len(lines(done)) == 5
    again = batch("-", "-0", "-o", "out", "--json", input=found)
    assert lines(again)[-1]["summary"]["skipped"] == 4
