"""One file through the stages, with a real network: the bytes that ``restore_files`` writes."""

from __future__ import annotations

import numpy as np
import pytest

from restore_cli.errors import DeviceError, ImageError
from restore_cli.imaging.image import Image, Metadata
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.batch.claims import NoClaims
from restore_cli.jobs.batch.file_stages import FileStages
from restore_cli.jobs.batch.journal import EmptyJournal
from restore_cli.jobs.batch.known_results import KnownResults
from restore_cli.jobs.batch.memory_shares import MemoryShares
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.run import restore_batch
from restore_cli.jobs.batch.storage.local import LocalResults
from restore_cli.jobs.restore.run import restore_files
from restore_cli.methods.network import load_network
from tests.options import restore_options

MIB = 2**20


@pytest.fixture
def options(narrow_model_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return restore_options(model=str(narrow_model_file), tile=64, overlap=0)


@pytest.fixture
def run(options, tmp_path):
    """Take one file through all stages; return its outcome and the tiles that were told."""

    def through(source, output, limit_bytes=None):
        events = []
        results = LocalResults("out")
        results.prepare()
        method = load_network(options.model, options.engine, options.task)
        stages = FileStages(
            options=options,
            known=KnownResults(results, EmptyJournal(), "settings"),
            claims=NoClaims(),
            memory=MemoryShares(0, limit_bytes),
            load=lambda: method,
            stop=Stop(),
            tell=events.append,
        )
        file = stages.prepare(Item(source, source, output))
        stages.compute(file)
        stages.finish(file)
        (outcome,) = [event.outcome for event in events if event.outcome]
        return outcome, [(event.done, event.total) for event in events if event.kind == "tiles"]

    return through


def picture(path, rng, **facts):
    write_image(path, Image(rng.random((90, 130, 3), dtype=np.float32), **facts))
    return path.read_bytes()


def test_values(run, options, tmp_path, rng):
    alpha = rng.random((90, 130, 1), dtype=np.float32)
    picture(tmp_path / "a.png", rng, depth="uint16", alpha=alpha, metadata=Metadata(dpi=(90, 90)))
    outcome, tiles = run("a.png", "a.tif")
    assert restore_files(["a.png"], "b.tif", options).exit_code == 0
    assert (tmp_path / "out" / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert (outcome.status, outcome.width, outcome.height) == ("done", 130, 90)
    assert tiles[-1][0] == tiles[-1][1] > 1


def test_errors(run, tmp_path, rng):
    (tmp_path / "text.png").write_bytes(b"no image")
    outcome, _ = run("text.png", "a.png")
    assert isinstance(outcome.error, ImageError)
    assert "text, not an image" in str(outcome.error)
    picture(tmp_path / "a.png", rng)
    outcome, _ = run("a.png", "a.png", limit_bytes=MIB)
    assert isinstance(outcome.error, DeviceError)
    assert "memory" in str(outcome.error)
    assert list((tmp_path / "out").iterdir()) == []


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


def test_an_output_that_cannot_be_written_is_not_the_files_fault(options, tmp_path, rng):
    for name in ("in/sub/a.png", "elsewhere/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        picture(tmp_path / name, rng)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    report = restore_batch(["in"], "out", options)
    assert "a link leads out of its folder" in str(report.failures[0].error)
    (tmp_path / "out" / "sub").unlink()
    assert restore_batch(["in"], "out", options).done == 1  # tried again, without --retry-failed


def test_a_file_damaged_further_down_is_not_tried_again(options, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("restore_cli.jobs.restore.opening.STREAM_PIXELS", 1000)
    (tmp_path / "in").mkdir()
    data = bytearray(picture(tmp_path / "in" / "a.tif", rng, depth="uint16"))
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    (tmp_path / "in" / "a.tif").write_bytes(data)
    assert "damaged TIFF" in str(restore_batch(["in"], "out", options).failures[0].error)
    assert restore_batch(["in"], "out", options).failures[0].reason == "failed before"
