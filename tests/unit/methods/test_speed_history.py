"""How fast runs were, remembered, with a real engine."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from restore_cli.engine.planner import TilePlan
from restore_cli.engine.restorer import Restorer
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.restore.run import restore_files
from restore_cli.methods import speed_history as speed
from tests.options import restore_options

TILES = TilePlan(height=200, width=300, count=5, at_once=2, bytes_per_pixel=300)


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def restorer(narrow_model_file):
    return Restorer(narrow_model_file, device="cpu", precision="fp32")


@pytest.fixture
def no_trial(monkeypatch):
    def fail(*_):
        raise AssertionError("a trial")

    monkeypatch.setattr("restore_cli.engine.planner.measure_speed", fail)


def clock_of(rate, tiles=TILES):
    clock = speed.Clock()
    clock.worked_s, clock.tiles = tiles.seconds(rate), tiles.count
    return clock


def remember(restorer, *rates, tiles=TILES, variant="a"):
    for rate in rates:
        speed.remember(restorer, tiles, variant, clock_of(rate, tiles))


@pytest.mark.usefixtures("no_trial")
def test_the_fastest_of_the_last_five_runs_is_predicted(restorer):
    remember(restorer, 1e-4, 1e-4, 9e-4, 3e-4, 2e-4, 5e-4, 1e-3)
    assert speed.speed(restorer, TILES, "a") == pytest.approx(2e-4)
    longer = dataclasses.replace(TILES, count=50, height=400)
    assert speed.speed(restorer, longer, "a") == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("changes", "variant"),
    [({"at_once": 1}, "a"), ({"height": 2000}, "a"), ({"height": 40}, "a"), ({}, "b")],
)
def test_what_differs_is_tried(restorer, monkeypatch, changes, variant):
    remember(restorer, 1e-3)
    monkeypatch.setattr("restore_cli.engine.planner.measure_speed", lambda *_: 42.0)
    assert speed.speed(restorer, dataclasses.replace(TILES, **changes), variant) == 42.0


@pytest.mark.parametrize(
    "changes", [{"worked_s": speed.WORTH_KEEPING_S / 2}, {"tiles": 20}, {"tiles": 0}]
)
def test_short_runs_and_other_tiles_are_not_kept(restorer, changes):
    clock = clock_of(1e-3)
    for name, value in changes.items():
        setattr(clock, name, value)
    speed.remember(restorer, TILES, "a", clock)
    assert not speed.runs_file().exists()


def test_old_runs_are_forgotten(restorer, monkeypatch):
    remember(restorer, 1e-3)
    monkeypatch.setattr(speed, "KEPT_RUN_S", -1)
    monkeypatch.setattr("restore_cli.engine.planner.measure_speed", lambda *_: 42.0)
    assert speed.speed(restorer, TILES, "a") == 42.0


@pytest.mark.parametrize(
    ("worked_s", "trials"), [(20.0, 1), (2 * 10 * speed.LEAST_SHARE, 1), (14.0, 2), (0.4, 2)]
)
def test_a_trial_beside_busy_programs_is_not_remembered(restorer, monkeypatch, worked_s, trials):
    now = {"wall": 5.0, "worked": 1.0}
    seen = []

    def trial(*_):
        now["wall"] += 10.0
        now["worked"] += worked_s
        seen.append(1)
        return 42.0

    monkeypatch.setattr("restore_cli.engine.planner.measure_speed", trial)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(speed.time, "process_time", lambda: now["worked"])
    assert [speed.speed(restorer, TILES, "a") for _ in range(2)] == [42.0, 42.0]
    assert len(seen) == trials


@pytest.mark.parametrize("content", ["{", "[]", "7", "damaged", "[[1, 2]]", '[["a", 1, 2]]'])
def test_a_damaged_file_is_none(restorer, monkeypatch, content):
    remember(restorer, 1e-3)
    if content in ("{", "[]"):
        speed.runs_file().write_text(content)
    else:
        kept = speed.runs_file().read_text()
        row = kept[kept.index("[[") : kept.rindex("]]") + 2]
        replaced = '"damaged"' if content == "damaged" else content
        speed.runs_file().write_text(kept.replace(row, replaced))
    monkeypatch.setattr("restore_cli.engine.planner.measure_speed", lambda *_: 42.0)
    assert speed.speed(restorer, TILES, "a") == 42.0
    remember(restorer, 1e-3)
    assert speed.speed(restorer, TILES, "a") == pytest.approx(1e-3)


def test_a_cache_that_cannot_be_written_is_silent(restorer, tmp_path, capfd):
    (tmp_path / "cache").write_text("a file, where a folder should be")
    remember(restorer, 1e-3)
    assert speed.speed(restorer, TilePlan(64, 64, 1, 1, 100), "a") > 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_trial")
def test_a_real_run_is_remembered(narrow_model_file, rng, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speed, "WORTH_KEEPING_S", 0)
    write_image("a.png", Image(rng.random((70, 80, 3), dtype=np.float32)))
    options = restore_options(model=str(narrow_model_file), device="cpu", precision="fp32")
    assert restore_files(["a.png"], None, options).exit_code == 0
    planned = restore_files(["a.png"], "b.png", dataclasses.replace(options, dry_run=True))
    assert planned.exit_code == 0
    with_tta = dataclasses.replace(options.engine, tta=True)
    other = dataclasses.replace(options, dry_run=True, engine=with_tta)
    with pytest.raises(AssertionError, match="a trial"):
        restore_files(["a.png"], "b.png", other)
