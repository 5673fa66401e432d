from __future__ import annotations

from collections import Counter

import pytest

from restore_cli.errors import UsageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.batch.inputs import Found
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.result_names import (
    check_folders,
    check_items,
    default_results,
    plan_items,
    result_name,
    shard_of,
)
from restore_cli.jobs.batch.storage.opening import results_in


@pytest.mark.parametrize(
    ("relative", "format_name", "expected"),
    [
        ("sub/a.JPG", None, "sub/a.JPG"),
        ("a.tar.png", None, "a.tar.png"),
        ("a.gif", None, "a.png"),
        ("a.psd", None, "a.tif"),
        ("a.pfm", None, "a.tif"),
        ("a.JPG", "jpeg", "a.jpg"),
        ("sub/a.png", "webp", "sub/a.webp"),
        ("a.2024", "png", "a.2024.png"),
        ("a", "png", "a.png"),
    ],
)
def test_values(relative, format_name, expected):
    assert result_name(Found("nowhere", relative), format_name) == expected


def test_names_without_a_known_suffix_get_that_of_their_content(tmp_path, rng):
    write_image(tmp_path / "a.tif", Image(rng.random((8, 8, 3), dtype="float32")))
    (tmp_path / "a.tif").rename(tmp_path / "scan.001")
    assert result_name(Found(str(tmp_path / "scan.001"), "scan.001"), None) == "scan.001.tif"
    (tmp_path / "b").write_text("no image")
    assert result_name(Found(str(tmp_path / "b"), "b"), None) == "b.png"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("in", "in_t"),
        ("in/", "in_t"),
        ("./in/.", "in_t"),
        ("in/sub", "in/sub_t"),
        ("in/sub/..", "in_t"),
    ],
)
def test_default_results(tmp_path, monkeypatch, path, expected):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert default_results([path], "t") == expected


def test_default_results_of_here(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    assert default_results(["."], "t") == str(tmp_path / "in_t")


@pytest.mark.parametrize("paths", [["a.png"], ["in", "in"], ["/"], [], ["gone"]])
def test_no_default_results(tmp_path, monkeypatch, paths):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"results|beside"):
        default_results(paths, "t")


def test_two_inputs_of_one_result_are_refused(tmp_path):
    files = [Found("in/a.png", "a.png"), Found("in/a.jpg", "a.jpg")]
    results = results_in(str(tmp_path / "out"))
    check_items(plan_items(files, None), results)
    with pytest.raises(UsageError, match=r"in/a.png and in/a.jpg would both become a.webp"):
        check_items(plan_items(files, "webp"), results)


def test_results_never_replace_inputs(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "in").mkdir()
    source = str(tmp_path / "link" / "a.png")
    results = results_in(str(tmp_path / "in"))
    with pytest.raises(UsageError, match="replace this input"):
        check_items([Item(source, "a.png", "a.png")], results)
    check_items([Item(source, "a.png", "b.png")], results)
    with pytest.raises(UsageError, match="where the inputs are"):
        check_folders([str(tmp_path / "link")], results)
    check_folders([str(tmp_path)], results)


def test_shards_are_parts_of_the_whole():
    items = [Item(f"/x/{k}", f"{k}.png", f"{k}.png") for k in range(1000)]
    parts = [shard_of(items, (k, 7)) for k in range(1, 8)]
    assert Counter(item for part in parts for item in part) == Counter(items)
    assert min(map(len, parts)) > 1000 / 7 / 2
    assert shard_of(items, (1, 1)) == items
    # The same file is in the same part, whatever else there is.
    assert shard_of(items[::3], (2, 7)) == [item for item in parts[1] if item in items[::3]]
    assert [item.relative for item in shard_of(items[:12], (1, 3))] == FIRST_OF_THREE


FIRST_OF_THREE = ["3.png", "9.png", "11.png"]  # by sha256sum
