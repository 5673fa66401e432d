from __future__ import annotations

import io
import os
from types import SimpleNamespace

import pytest

from restore_cli.errors import UsageError
from restore_cli.jobs.batch import inputs as module
from restore_cli.jobs.batch.inputs import Selection, find_inputs, names_in, read_list
from restore_cli.jobs.batch.journal import JOURNAL_NAME


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "b.png",
        "a.JPG",
        "sub/c.tif",
        "sub/deep/d.webp",
        "notes.txt",
        ".hidden.png",
        ".git/e.png",
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def found(*paths, base=None, **selection):
    return find_inputs([str(path) for path in paths], Selection(**selection), base)


def names(*paths, **options):
    return [file.relative for file in found(*paths, **options).files]


ALL = ["a.JPG", "b.png", "sub/c.tif", "sub/deep/d.webp"]


@pytest.mark.parametrize("path", ["photos", "photos/", "./photos", "photos/sub/..", "."])
def test_values(tree, path, monkeypatch):
    if path == ".":
        monkeypatch.chdir(tree)
    assert names(path) == ALL


def test_several_folders_keep_their_names(tree):
    (tree.parent / "more").mkdir()
    (tree.parent / "more" / "a.JPG").touch()
    assert names("more", tree) == ["more/a.JPG", *(f"photos/{name}" for name in ALL)]


def test_files_keep_relative_paths_only(tree):
    assert names("photos/b.png", "photos/notes.txt") == ["photos/b.png", "photos/notes.txt"]
    assert names(tree / "sub" / "c.tif", "photos/../photos/b.png") == ["c.tif", "b.png"]
    assert names("./photos/b.png", "photos/b.png") == ["photos/b.png"]


def test_base(tree):
    assert names(tree / "sub", base=str(tree)) == ["sub/c.tif", "sub/deep/d.webp"]
    assert names(tree / "sub/c.tif", "photos", base="photos") == [
        "sub/c.tif",
        "a.JPG",
        "b.png",
        "sub/deep/d.webp",
    ]
    with pytest.raises(UsageError, match="outside"):
        names(tree, base="photos/sub")


def test_patterns(tree):
    assert names("photos/*.png") == ["photos/b.png"]
    assert names("photos/**/*.tif") == ["photos/sub/c.tif"]
    (tree / "odd[1].png").touch()
    assert names("photos/odd[1].png") == ["photos/odd[1].png"]
    assert "matches no file" in found("photos/*.gif").failures[0].what


def test_selection(tree):
    assert names(tree, include=["*.png", "sub/*"]) == ["b.png", "sub/c.tif", "sub/deep/d.webp"]
    assert names(tree, exclude=["deep", "*.png"]) == ["a.JPG", "sub/c.tif"]
    assert names(tree, include=["sub/*"], exclude=["*.tif"]) == ["sub/deep/d.webp"]
    assert names("photos/b.png", exclude=["*.png"]) == []


def test_results_are_no_inputs(tree):
    results = tree / "sub" / "deep"
    assert names(tree, results=str(results)) == ["a.JPG", "b.png", "sub/c.tif"]
    (tree / "sub" / JOURNAL_NAME).touch()
    other = found(tree)
    assert [file.relative for file in other.files] == ["a.JPG", "b.png"]
    assert "results of a batch" in other.notes[0]
    assert names(tree / "sub") == ["c.tif", "deep/d.webp"]  # who names it means it


def test_links_to_folders_are_not_entered(tree):
    (tree / "sub" / "loop").symlink_to(tree)
    (tree / "sub" / "self").symlink_to("self")
    (tree / "link.png").symlink_to(tree / "b.png")
    (tree / "gone.png").symlink_to(tree / "nothing")
    result = found(tree)
    assert [file.relative for file in result.files] == [
        "a.JPG",
        "b.png",
        "gone.png",
        "link.png",
        "sub/c.tif",
        "sub/deep/d.webp",
    ]
    assert len(result.notes) == 1
    assert names(tree / "sub" / "loop") == [*ALL[:2], "gone.png", "link.png", *ALL[2:]]


def test_odd_names(tree):
    odd = [b"new\nline.png", "\N{CAT FACE}.png".encode(), b"\xff.png"]
    for name in odd:
        (tree / os.fsdecode(name)).touch()
    listed = [os.fsencode(file.relative) for file in found(tree).files]
    assert set(odd) < set(listed)


def test_nothing_found(tree, tmp_path):
    (tmp_path / "empty").mkdir()
    assert found("empty").notes == ["no images in empty"]
    assert names("gone.png") == ["gone.png"]  # fails in its turn


def test_a_list():
    assert names_in(b"a.png\nb c.png\r\n\n\xff.png", nul=False) == [
        "a.png",
        "b c.png",
        "\udcff.png",
    ]
    assert names_in(b"a\nb.png\0c.png\0", nul=True) == ["a\nb.png", "c.png"]


def test_reading_a_list(monkeypatch):
    stdin = SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(b"a.png\n"))
    monkeypatch.setattr(module.sys, "stdin", stdin)
    assert read_list() == b"a.png\n"
    stdin.isatty = lambda: True
    with pytest.raises(UsageError, match="terminal"):
        read_list()
    monkeypatch.setattr(module.sys, "stdin", None)
    assert read_list() == b""
