from __future__ import annotations

import hashlib
import json
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from restore_cli.errors import DeviceError, ImageError, UsageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import encode_image, write_image
from restore_cli.jobs.batch.claims import LockClaims, claim_key
from restore_cli.jobs.batch.journal import JOURNAL_NAME
from restore_cli.jobs.batch.options import BatchOptions
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.run import restore_batch
from tests.options import restore_options


class FakeRestorer:
    """Darkens; some pictures make it fail."""

    made = 0
    error = None

    def __init__(self, model, options, **keywords):
        FakeRestorer.made += 1
        self.card = SimpleNamespace(name="narrow")
        self.device, self.precision = "cpu", "fp32"

    def __call__(self, pixels, progress=None):
        if self.error:
            raise self.error
        progress(1, 1)
        return pixels * np.float32(0.5)


@pytest.fixture(autouse=True)
def fake(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restore_cli.engine.restorer.Restorer", FakeRestorer)
    monkeypatch.setattr(FakeRestorer, "made", 0)
    monkeypatch.setattr(FakeRestorer, "error", None)
    return FakeRestorer


@pytest.fixture
def batch(narrow_model_file):
    def run(*paths, output=None, on_event=lambda _: None, stop=None, which=None, **options):
        chosen = restore_options(model=str(narrow_model_file), **options)
        return restore_batch(list(paths), output, chosen, which, on_event, stop)

    return run


def journal(folder):
    return [json.loads(line) for line in (folder / JOURNAL_NAME).read_text().splitlines()]


def rewrite(folder, keep):
    """Leave those lines of a journal that ``keep`` says."""
    lines = [json.dumps(line) + "\n" for line in journal(folder) if keep(line)]
    (folder / JOURNAL_NAME).write_text("".join(lines))


def test_values(batch, photos, tmp_path, fake):
    report = batch("in")
    assert (report.done, report.failed, report.exit_code, report.model) == (3, 0, 0, "narrow")
    before, after = read_image("in/a.png").pixels, read_image("in_deblur/a.png").pixels
    assert np.abs(after - before / 2).max() <= 0.5 / 255 + 1e-6
    record = next(line for line in journal(tmp_path / "in_deblur") if line.get("output") == "a.png")
    data = (photos / "a.png").read_bytes()
    assert record["input_sha256"] == hashlib.sha256(data).hexdigest()
    assert (batch("in").skipped, fake.made) == (3, 1)  # the model is not loaded for nothing


def test_a_result_whose_writer_was_killed_before_it_said_so_is_not_made_again(
    batch, photos, tmp_path, fake
):
    batch("in")
    rewrite(tmp_path / "in_deblur", lambda line: line["step"] != "done")
    report = batch("in")
    assert (report.skipped, report.done, fake.made) == (3, 0, 1)
    assert sum(line["step"] == "done" for line in journal(tmp_path / "in_deblur")) == 3


def test_an_announced_result_that_is_not_there_is_made(batch, photos, tmp_path):
    batch("in")
    rewrite(tmp_path / "in_deblur", lambda line: line["step"] != "done")
    (tmp_path / "in_deblur" / "a.png").unlink()
    (tmp_path / "in_deblur" / "b.jpg").write_bytes(b"what was there before")
    assert (batch("in").done, batch("in").skipped) == (2, 3)


@pytest.mark.parametrize(
    "options", [{"strength": 0.5}, {"quality": 60}, {"tile": 64}, {"device": "cpu"}, {"tta": True}]
)
def test_what_changes_a_result_makes_it_again(batch, photos, options):
    batch("in")
    assert (batch("in", **options).done, batch("in", **options).skipped) == (3, 3)


def test_what_changes_no_result_does_not(batch, photos, narrow_model_file, tmp_path):
    batch("in")
    (tmp_path / "same.safetensors").write_bytes(narrow_model_file.read_bytes())
    options = restore_options(model="same.safetensors", overwrite=True)
    assert restore_batch(["in"], None, options).skipped == 3


@pytest.mark.parametrize("error", [ImageError("odd"), ValueError("odd"), MemoryError()])
def test_one_odd_file_does_not_stop_the_others(batch, photos, fake, error):
    (photos / "bad.png").write_bytes(b"no image")
    fake.error = error
    report = batch("in")
    assert (report.done, report.failed, report.exit_code) == (0, 4, 3)
    fake.error = None
    # What may go well the next time is tried again; what is wrong with a file is not.
    is_lasting = isinstance(error, ImageError)
    again = batch("in")
    assert (again.done, again.failed) == ((0, 4) if is_lasting else (3, 1))
    retried = batch("in", which=BatchOptions(retry_failed=True))
    assert (retried.done + retried.skipped, retried.failed) == (3, 1)


def test_what_lacked_a_package_is_tried_again(batch, photos, monkeypatch):
    pytest.importorskip("pi_heif")
    heic = (Path(__file__).parents[4] / "samples/formats/photo.heic").read_bytes()
    (photos / "phone.heic").write_bytes(heic)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    report = batch("in")
    assert (report.done, report.failed) == (3, 1)
    assert "restore-cli[heic]" in str(report.failures[0].error)
    monkeypatch.delitem(sys.modules, "pi_heif")
    assert (batch("in").done, batch("in").skipped) == (1, 4)


def test_fail_fast(batch, photos, fake):
    fake.error = ImageError("odd")
    report = batch("in", which=BatchOptions(fail_fast=True))
    assert (report.failed, report.interrupted, report.exit_code) == (1, False, 3)


def test_no_device_stops_everything(batch, photos, monkeypatch):
    def fail(*_, **__):
        raise DeviceError("no such device")

    monkeypatch.setattr("restore_cli.engine.restorer.Restorer", fail)
    report = batch("in")
    assert (report.stopped_by.what, report.exit_code) == ("no such device", 5)
    assert report.handled == 0


def test_what_others_work_on_is_waited_for(batch, photos, tmp_path):
    (tmp_path / "in_deblur").mkdir()
    claim = LockClaims(tmp_path / "in_deblur").take(claim_key("a.png"))
    notes = []

    def on_event(event):
        if event.kind == "note":
            notes.append(event.text)
            claim.release()  # the other one was killed

    assert batch("in", on_event=on_event).done == 3
    assert "waiting for another process" in notes[0]


def test_stopped_before_it_begins(batch, photos):
    report = batch("in", stop=Stop(wanted=True))
    assert (report.interrupted, report.handled, report.total) == (True, 0, 3)


def test_collisions_are_refused_before_anything_is_done(batch, photos, tmp_path):
    write_image("in/a.jpg", read_image("in/a.png"))
    with pytest.raises(UsageError, match=r"would both become a\.webp"):
        batch("in", format="webp")
    assert not (tmp_path / "in_deblur").exists()
    assert batch("in", format="webp", which=BatchOptions(exclude=("a.jpg",))).done == 3


def test_upscale_and_memory(batch, photos):
    report = batch("in", task="upscale", scale=2)
    assert (report.done, read_image("in_upscale/a.png").pixels.shape) == (3, (80, 100, 3))
    small = batch("in", max_memory_bytes=2**20)
    assert (small.failed, "memory" in str(small.failures[0].error)) == (3, True)


def test_urls(batch, rng):
    fsspec = pytest.importorskip("fsspec")
    url = f"memory://{uuid.uuid4().hex}"
    files, _ = fsspec.url_to_fs(url)
    image = Image(rng.random((40, 50, 3), dtype=np.float32))
    for name in ("a.png", "sub/b.png"):
        files.pipe_file(f"{url}/in/{name}", encode_image(image, format="png"))
    files.pipe_file(f"{url}/in/bad.png", b"no image")
    report = batch(f"{url}/in")
    assert (report.done, report.failed, report.output) == (2, 1, f"{url}/in_deblur")
    assert files.exists(f"{url}/in_deblur/sub/b.png")
    again = batch(f"{url}/in", f"{url}/in/bad.png", output=f"{url}/in_deblur")
    assert again.failed == 2  # under another name, too
    assert batch(f"{url}/in").skipped == 2
    files.pipe_file(f"{url}/in_deblur/a.png", b"broken")
    assert batch(f"{url}/in").done == 1
    files.rm(url, recursive=True)
