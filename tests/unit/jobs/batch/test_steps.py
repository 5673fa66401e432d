"""With a real network: the bytes are those that ``restore_files`` writes."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.errors import DeviceError, ImageError
from restore_cli.imaging.formats import write_image
from restore_cli.imaging.image import Image, Metadata
from restore_cli.jobs.batch.memory_shares import BatchMemory
from restore_cli.jobs.batch.run import restore_batch
from restore_cli.jobs.batch.steps import measure, restore_bytes
from restore_cli.jobs.restore.memory_budget import Budget
from restore_cli.jobs.restore.run import restore_files
from restore_cli.methods.network import load_restorer
from tests.options import restore_options

MIB = 2**20


@pytest.fixture
def options(narrow_model_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return restore_options(model=str(narrow_model_file), tile=64, overlap=0)


def picture(path, rng, **facts):
    write_image(path, Image(rng.random((90, 130, 3), dtype=np.float32), **facts))
    return path.read_bytes()


def test_values(options, tmp_path, rng, narrow_model_file):
    alpha = rng.random((90, 130, 1), dtype=np.float32)
    data = picture(
        tmp_path / "a.png", rng, depth="uint16", alpha=alpha, metadata=Metadata(dpi=(90, 90))
    )
    restorer = load_restorer(str(narrow_model_file), options.engine, check=True)
    tiles = []
    restored = restore_bytes(
        data, "a.png", "a.tif", options, restorer, Budget(0), lambda *tile: tiles.append(tile)
    )
    assert restore_files(["a.png"], "b.tif", options).exit_code == 0
    assert restored.data == (tmp_path / "b.tif").read_bytes()
    assert (restored.width, restored.height) == (130, 90)
    assert tiles[-1][0] == tiles[-1][1] > 1


def test_errors(options, narrow_model_file, tmp_path, rng):
    restorer = load_restorer(str(narrow_model_file), options.engine, check=True)
    with pytest.raises(ImageError, match="text, not an image"):
        restore_bytes(b"no image", "a.png", "a.png", options, restorer, Budget(0))
    data = picture(tmp_path / "a.png", rng)
    with pytest.raises(DeviceError, match="memory"):
        restore_bytes(data, "a.png", "a.png", options, restorer, Budget(MIB, MIB))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif", "bmp", "jp2"])
def test_sizes_are_measured_by_the_header(tmp_path, rng, suffix):
    data = picture(tmp_path / f"a.{suffix}", rng)
    assert measure(data) == (130, 90)
    assert measure(b"no image") is None


def test_in_parts(options, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("restore_cli.jobs.restore.opening.STREAM_PIXELS", 1000)
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "a.tif", rng, depth="uint16")
    seen = []
    report = restore_batch(["in"], "out", options, on_event=seen.append)
    (outcome,) = [event.outcome for event in seen if event.outcome]
    assert (report.done, outcome.in_parts, outcome.width) == (1, True, 130)
    assert restore_files(["in/a.tif"], "b.tif", options).exit_code == 0
    assert (tmp_path / "out" / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [".restore-journal.jsonl", "a.tif"]
    assert restore_batch(["in"], "out", options).skipped == 1


def test_room_for_images_that_wait():
    free = BatchMemory(2 * MIB, None)
    need_bytes, budget = free.share((1000, 1000), 1)
    assert (budget.limit_bytes, free.share((1000, 1000), 2)[0]) == (None, 4 * need_bytes)
    tight = BatchMemory(2 * MIB, 2048 * MIB)
    assert tight.room_bytes == 512 * MIB
    assert tight.share((100, 100), 1)[1].limit_bytes == 1536 * MIB
    assert tight.share((9000, 9000), 1)[1].limit_bytes == 2048 * MIB  # alone, with all there is
    assert BatchMemory(2 * MIB, 400 * MIB).room_bytes == 0
