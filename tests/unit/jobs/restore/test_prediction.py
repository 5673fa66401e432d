"""Dry runs, shares of the memory and images in parts, with a real engine."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.restore import memory_budget as budget
from restore_cli.jobs.restore import opening as opened
from restore_cli.jobs.restore import prediction as plan
from restore_cli.jobs.restore.run import restore_files
from restore_cli.methods import speed_history as speed
from tests.options import restore_options

MIB = 2**20


@pytest.fixture(autouse=True)
def _folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(speed, "LEAST_SHARE", 0)  # remember trials on busy machines, too


@pytest.fixture
def restore(narrow_model_file):
    def run(*inputs, output=None, **options):
        options = {"device": "cpu", "precision": "fp32", **options}
        chosen = restore_options(model=str(narrow_model_file), **options)
        return restore_files(list(inputs), output, chosen)

    return run


@pytest.fixture
def tiff(rng):
    def write(name="a.tif", height=300, width=400, **options):
        samples = rng.integers(0, 2**16, (height, width, 3), dtype=np.uint16)
        options = {"compression": "zlib", "rowsperstrip": 16, **options}
        tifffile.imwrite(name, samples, photometric="rgb", metadata=None, **options)
        return name

    return write


@pytest.fixture
def small_stream(monkeypatch):
    """Restore every TIFF in parts."""
    monkeypatch.setattr(opened, "STREAM_PIXELS", 1000)


def test_a_dry_run_does_nothing_but_predict(restore, rng, tmp_path):
    write_image("a.png", Image(rng.random((70, 80, 3), dtype=np.float32)))
    report = restore("a.png", "gone.png", task="upscale", scale=4, dry_run=True)
    assert [result.status for result in report.files] == ["planned", "failed"]
    result = report.files[0]
    assert (result.width, result.height, result.tiles) == (320, 280, "1 of 320x280")
    assert 0 < result.predicted_s < 60
    assert budget.PROGRAM_BYTES < result.predicted_peak_bytes < 2 * budget.PROGRAM_BYTES
    assert (report.device, report.precision) == ("cpu", "fp32")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "cache"]
    values = result.to_dict()
    assert values["predicted_peak_bytes"] == result.predicted_peak_bytes
    assert "in_parts" not in values


def test_a_large_tiff_is_restored_in_parts_to_the_same_file(restore, tiff, monkeypatch):
    tiff()
    assert restore("a.tif", output="whole.tif", tile=128).files[0].in_parts is False
    monkeypatch.setattr(opened, "STREAM_PIXELS", 100_000)
    result = restore("a.tif", output="parts/", tile=128).files[0]
    assert (result.in_parts, result.width, result.height, result.depth) == (
        True, 400, 300, "uint16",
    )  # fmt: skip
    with open("whole.tif", "rb") as whole, open("parts/a_deblur.tif", "rb") as parts:  # noqa: PTH123
        assert whole.read() == parts.read()


@pytest.mark.parametrize(
    ("name", "output", "options"),
    [
        ("a.tif", "out.png", {}),
        ("a.tif", None, {"format": "png"}),
        ("a.png", None, {}),
        ("a.tif", "out.tif", {"tile": 0}),
        ("a.tif", "out.tif", {"scale": 2, "task": "upscale"}),
    ],
)
@pytest.mark.usefixtures("small_stream")
def test_what_goes_through_memory(restore, tiff, name, output, options):
    result = restore(tiff(name, 40, 50), output=output, **options).files[0]
    assert (result.status, result.in_parts) == ("done", False)


@pytest.mark.usefixtures("small_stream")
def test_a_misnamed_tiff_in_parts(restore, tiff):
    result = restore(tiff("a.dat", 40, 50)).files[0]
    assert (result.output, result.in_parts) == ("a_deblur.tif", True)
    assert read_image("a_deblur.tif").notes == ()


@pytest.mark.usefixtures("small_stream")
def test_a_dry_run_of_an_image_in_parts(restore, tiff):
    result = restore(tiff(), tile=128, dry_run=True).files[0]
    assert result.to_dict()["in_parts"] is True
    count = int(result.tiles.split()[0])
    assert result.tiles == f"{count} of 128x128"
    assert count > 6
    program = budget.program_bytes(0)
    assert program < result.predicted_peak_bytes < 2 * program


def test_a_limit_decides_the_tiles(restore, tiff):
    tiff(height=1000, width=1000)
    tiles = [
        restore("a.tif", max_memory_bytes=limit * MIB, dry_run=True).files[0].tiles
        for limit in (4000, 600, 500)
    ]
    counts = [int(text.split()[0]) for text in tiles]
    assert counts[0] <= counts[1] < counts[2]


def test_a_limit_streams_what_does_not_fit_as_a_whole(restore, tiff, monkeypatch):
    tiff()
    assert not restore("a.tif", max_memory_bytes=2000 * MIB, overwrite=True).files[0].in_parts
    assert restore("a.tif", max_memory_bytes=520 * MIB, overwrite=True).files[0].in_parts


def test_errors(restore, tiff, rng):
    tiff()
    write_image("a.png", Image(rng.random((70, 80, 3), dtype=np.float32)))
    report = restore("a.tif", "a.png", max_memory_bytes=200 * MIB)
    assert report.exit_code == 5
    for failure, name in zip(report.failures, ("a.tif", "a.png"), strict=True):
        text = str(failure)
        assert text.startswith(f"{name}: needs ")
        assert ", --max-memory is 200M (the least that works is --max-memory " in text
        least = text.rpartition(" ")[2].removesuffix("M)")
        again = restore(name, max_memory_bytes=int(least) * MIB)
        assert again.exit_code == 0, str(again.failures)


def test_an_image_too_large_for_the_limit_is_not_decoded(restore, tmp_path):
    path = tmp_path / "a.png"
    write_image(path, Image(np.zeros((3000, 3000, 1), np.float32)))
    path.write_bytes(path.read_bytes()[:100])  # decoding would find the damage
    report = restore("a.png", max_memory_bytes=400 * MIB)
    assert report.exit_code == 5
    assert "a.png: needs " in str(report.failures[0])


def test_the_speed_is_measured_once(restore, tiff, monkeypatch):
    tiff()
    first = restore("a.tif", dry_run=True).files[0]
    assert speed.cache_file().exists()

    def fail(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("restore_cli.engine.planner.measure_speed", fail)
    second = restore("a.tif", dry_run=True).files[0]
    assert second.tiles == first.tiles
    with pytest.raises(AssertionError, match="measured again"):
        restore("a.tif", tta=True, dry_run=True)
    monkeypatch.setattr(speed, "KEPT_S", -1)
    with pytest.raises(AssertionError, match="measured again"):
        restore("a.tif", dry_run=True)


def test_a_damaged_memory_of_speeds_is_none(restore, tiff):
    speed.cache_file().parent.mkdir(parents=True)
    speed.cache_file().write_text("[1, 2")
    assert restore(tiff(), dry_run=True).exit_code == 0
    assert speed.cache_file().read_text().startswith("{")


def test_readable_sizes_are_enough():
    assert budget.readable(300 * MIB) == "300M"
    assert budget.readable(300 * MIB + 1) == "301M"
    assert budget.readable(1025 * MIB) == "1.1G"
    assert plan.STREAM_LIMIT_BYTES < 1500e6
