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


@pytest.mark.parametrize(
    ("left", "right"), [("blur/blur_1", "gt/gt_1"), ("rain/rain-001", "norain/norain-001")]
)
def test_names_that_begin_with_their_folders(tmp_path, save, left, right):
    for name in (left, right, left + "5", right + "6"):
        save(tmp_path / f"{name}.png")
    listing = list_folder(tmp_path)
    (pair,) = listing.pairs
    assert (pair.degraded, pair.clean) == (tmp_path / f"{left}.png", tmp_path / f"{right}.png")
    assert len(listing.strays) == 2


def test_whole_names_go_before_shortened_ones(tmp_path, save):
    for name in ("blur/blur_1", "blur/1", "gt/1", "gt/gt_1"):
        save(tmp_path / f"{name}.png")
    found = [(pair.degraded.stem, pair.clean.stem) for pair in list_folder(tmp_path).pairs]
    assert found == [("1", "1"), ("blur_1", "gt_1")]


def test_both_files_of_a_pair_in_one_folder(tmp_path, save):
    for scene in ("0001_001", "0002_001"):
        for kind in ("NOISY", "GT"):
            save(tmp_path / scene / f"{scene[:4]}_{kind}_SRGB_010.PNG")
    save(tmp_path / "0003_001" / "0003_NOISY_SRGB_010.PNG")
    listing = list_folder(tmp_path)
    assert names(listing.strays) == ["0003_NOISY_SRGB_010.PNG"]
    assert [(pair.degraded.name, pair.clean.name) for pair in listing.pairs] == [
        ("0001_NOISY_SRGB_010.PNG", "0001_GT_SRGB_010.PNG"),
        ("0002_NOISY_SRGB_010.PNG", "0002_GT_SRGB_010.PNG"),
    ]


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
