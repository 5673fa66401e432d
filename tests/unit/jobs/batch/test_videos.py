"""Videos among the photos of a batch: found, restored from disk to disk, done once."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.batch.inputs import Found, Selection, find_inputs
from restore_cli.jobs.batch.journal import JOURNAL_NAME
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.result_names import result_name
from restore_cli.jobs.batch.run import restore_batch
from tests.options import restore_options
from tests.unit.imaging.video.clips import frames_of, write_clip

FRAME = b"FRAME\n" + bytes(range(256)) * 6  # 32×32 in 4:2:0
Y4M = b"YUV4MPEG2 W32 H32 F25:1 Ip A1:1 C420jpeg\n"


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    write_image("in/a.png", Image(rng.random((20, 30, 3), dtype=np.float32)))
    (tmp_path / "in" / "b.y4m").write_bytes(Y4M + 3 * FRAME)
    (tmp_path / "in" / "program.ts").write_text("let a = 1")
    return tmp_path


@pytest.fixture
def batch(narrow_model_file):
    def run(on_event=lambda _: None, stop=None, **options):
        chosen = restore_options(model=str(narrow_model_file), device="cpu", **options)
        return restore_batch(["in"], None, chosen, None, on_event, stop)

    return run


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_values(batch, folder):
    write_clip(folder / "in" / "c.mp4", count=2)
    seen = []
    report = batch(lambda event: seen.append((event.kind, event.path, event.done, event.total)))
    assert (report.done, report.failed) == (3, 0), [str(item.error) for item in report.failures]
    assert [item for item in seen if item[:2] == ("tiles", "in/b.y4m")] == [
        ("tiles", "in/b.y4m", done, 3) for done in (1, 2, 3)
    ]
    results = folder / "in_deblur"
    assert left(results) == [JOURNAL_NAME, "a.png", "b.y4m", "c.mp4"]
    assert (results / "b.y4m").stat().st_size == (folder / "in" / "b.y4m").stat().st_size
    assert len(frames_of(results / "c.mp4")) == 2
    assert (batch().skipped, batch(strength=0.5).done) == (3, 3)
    (results / "c.mp4").write_bytes(b"broken by a disk")
    assert (batch(strength=0.5).done, batch(strength=0.5).skipped) == (1, 3)


def test_a_damaged_video_leaves_nothing(batch, folder):
    path = folder / "in" / "b.y4m"
    path.write_bytes(Y4M + 2 * FRAME + FRAME[:100])
    report = batch()
    assert (report.done, report.failed) == (1, 1)
    assert report.failures[0].error.path == "in/b.y4m"
    assert left(folder / "in_deblur") == [JOURNAL_NAME, "a.png"]
    assert "failed before" in batch().failures[0].reason
    path.write_bytes(Y4M + FRAME)
    assert (batch().done, batch().skipped) == (1, 2)


def test_stopped_within_a_video(batch, folder):
    stop = Stop()

    def on_event(event):
        stop.wanted = stop.wanted or (event.kind == "tiles" and event.path == "in/b.y4m")

    report = batch(on_event, stop)
    assert report.interrupted
    assert "b.y4m" not in left(folder / "in_deblur")
    assert batch().failed == 0
    assert left(folder / "in_deblur") == [JOURNAL_NAME, "a.png", "b.y4m"]


def test_formats_and_depths_are_for_images(batch, folder):
    report = batch(format="tiff", bit_depth=16)
    assert report.failed == 0, [str(item.error) for item in report.failures]
    assert left(folder / "in_deblur") == [JOURNAL_NAME, "a.tif", "b.y4m"]


@pytest.mark.parametrize(
    ("name", "result"),
    [("a.MP4", "a.MP4"), ("a.avi", "a.mkv"), ("s/a.mov", "s/a.mov"), ("a.yuv", "a.yuv.png")],
)
def test_names(folder, name, result):
    assert result_name(Found(name, name), "png") == result


def test_without_the_library_videos_are_left_out(folder, monkeypatch):
    (folder / "in" / "c.mp4").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = find_inputs(["in"], Selection())
    assert [file.relative for file in found.files] == ["a.png", "b.y4m"]
    (note,) = found.notes
    assert note == "videos left out of in: 1; restoring them takes pip install 'restore-cli[video]'"


def test_videos_behind_urls_are_left_out(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe_file("memory://clips/a.mp4", b"")
    files.pipe_file("memory://clips/a.png", b"")
    found = find_inputs(["memory://clips"], Selection())
    files.rm("memory://clips", recursive=True)
    assert [file.relative for file in found.files] == ["a.png"]
    assert "only those on a disk" in found.notes[0]
