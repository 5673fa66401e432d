from __future__ import annotations

import pytest

from restore_cli.data.pairs import list_folder
from restore_cli.errors import ImageError, UsageError


def names(paths):
    return [path.name for path in paths]


@pytest.mark.parametrize(
    ("left", "right"), [("input", "target"), ("blur", "sharp"), ("noisy", "clean")]
)
def test_pairs_match_by_name_not_by_position(tmp_path, save, left, right):
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / left / name)
    for name in ("b.png", "c.webp", "d.png"):
        save(tmp_path / right / name)
    listing = list_folder(tmp_path)
    assert [(p.degraded.name, p.clean.name) for p in listing.pairs] == [
        ("b.png", "b.png"),
        ("c.png", "c.webp"),
    ]
    assert sorted(names(listing.strays)) == ["a.png", "d.png"]


def test_scene_folders_as_in_gopro(tmp_path, save):
    for scene in ("GOPR0372", "GOPR0374"):
        for kind in ("blur", "sharp"):
            save(tmp_path / "train" / scene / kind / "000047.png")
    assert len(list_folder(tmp_path).pairs) == 2


def test_a_folder_without_pairs_holds_sharp_photos(tmp_path, save):
    save(tmp_path / "b" / "two.png")
    save(tmp_path / "one.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert names(list_folder(tmp_path).photos) == ["two.png", "one.png"]


def test_folders_for_pairs_without_any_pair(tmp_path, save):
    save(tmp_path / "blur" / "a.png")
    save(tmp_path / "sharp" / "b.png")
    with pytest.raises(ImageError, match="no picture has a partner"):
        list_folder(tmp_path)


def test_errors(tmp_path):
    with pytest.raises(UsageError, match="no images"):
        list_folder(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        list_folder(tmp_path / "missing")
