from __future__ import annotations

import importlib.util
import json

import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.reading import read_image
from restore_cli.training import curves
from restore_cli.training.curves import draw_curves
from restore_cli.training.run_log import RunLog

LOSSES = [{"step": step, "loss": 1 / step} for step in range(50, 2001, 50)]
VALIDATION = {"step": 2000, "psnr_db": 31.0, "psnr_in_db": 30.0}


def log_of(folder, rows):
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("rows", [[], LOSSES, [VALIDATION], [*LOSSES, VALIDATION]])
def test_whatever_there_is_by_now_is_drawn(tmp_path, rows):
    assert draw_curves(log_of(tmp_path, rows), tmp_path / "curves.png")
    assert read_image(tmp_path / "curves.png").pixels.shape == (500, 900, 3)


def test_lines_follow_the_numbers(tmp_path):
    pictures = []
    for factor in (1, 2):
        rows = [{"step": row["step"], "loss": row["loss"] + factor * row["step"]} for row in LOSSES]
        draw_curves(log_of(tmp_path, rows), tmp_path / "curves.png")
        pictures.append(read_image(tmp_path / "curves.png").pixels)
    assert (pictures[0] != pictures[1]).any()


def test_without_matplotlib_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not draw_curves(log_of(tmp_path, LOSSES), tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(ImageError, match=r"curves\.png"):
        draw_curves(log_of(tmp_path, LOSSES), tmp_path / "gone" / "curves.png")


def test_means_look_back():
    assert curves._means([1.0, 3.0]) == [1.0, 2.0]
    assert curves._means([100.0] + [1.0] * 20)[-1] == 1.0


def test_a_run_draws_at_each_validation(tmp_path):
    log = RunLog(tmp_path)
    log.write(LOSSES[0])
    assert not (tmp_path / "curves.png").exists()
    log.write(VALIDATION)
    log.close()
    assert (tmp_path / "curves.png").exists()
