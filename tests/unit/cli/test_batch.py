from __future__ import annotations

import io
import json
import os
import signal
from types import SimpleNamespace

import pytest

from restore_cli.cli import app as module
from restore_cli.cli import batch as batch_module
from restore_cli.cli.batch_progress import BatchProgress, JsonBatchProgress, PlainBatchProgress
from restore_cli.cli.console import Console
from restore_cli.errors import ImageError
from restore_cli.jobs.batch.options import BatchOptions
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.report import BatchEvent, BatchReport, Item, Outcome
from tests.options import restore_options

ITEM = Item("in/a.png", "a.png", "a.png")
DONE = Outcome(ITEM, "done", "out/a.png", width=4, height=2, seconds=1.5)
FAILED = Outcome(ITEM, "failed", "out/a.png", error=ImageError("bad", path="in/a.png"))


@pytest.fixture
def job(monkeypatch, tmp_path):
    """Replaces the job; holds its calls and what it is to report."""

    class Job:
        events = ()
        report = None

        def __call__(self, paths, output, options, which, on_event, stop):
            self.calls.append((paths, output, options, which))
            report = self.report or BatchReport(options.task, "m", "out", options.dry_run, total=1)
            for event in self.events:
                on_event(event)
                if event.outcome:
                    report.add(event.outcome)
            return report

    job = Job()
    job.calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("restore_cli.jobs.batch.run.restore_batch", job)
    return job


def test_defaults(job):
    assert module.run(["batch", "photos"]) == 0
    assert job.calls == [(["photos"], None, restore_options(), BatchOptions())]


def test_options_are_handed_to_the_job(job):
    flags = (
        "--output out --task denoise --include *.png --include *.tif --exclude x --base b"
        " --shard 2/4 --retry-failed --fail-fast --watch --poll 0.5 --model m.safetensors"
        " --device cuda:1 --precision bf16 --tile 256 --overlap 32 --pooling global"
        " --max-memory 1.5G --tta --strength 0.5 --format webp --quality 80 --bit-depth 16"
        " --strip-metadata --overwrite --dry-run"
    )
    assert module.run(["batch", "a", "b", *flags.split()]) == 0
    options = restore_options(
        task="denoise", model="m.safetensors", device="cuda:1", precision="bf16", tile=256,
        overlap=32, pooling="global", max_memory_bytes=3 * 2**29, tta=True, strength=0.5,
        format="webp", quality=80, bit_depth=16, strip_metadata=True, overwrite=True, dry_run=True,
    )  # fmt: skip
    which = BatchOptions(
        ("*.png", "*.tif"), ("x",), "b", (2, 4), retry_failed=True, fail_fast=True, watch=True,
        poll_s=0.5,
    )  # fmt: skip
    assert job.calls == [(["a", "b"], "out", options, which)]


def test_scale_is_for_upscale(job, capsys):
    assert module.run(["batch", "a", "--task", "upscale"]) == 0
    assert module.run(["batch", "a", "--task", "upscale", "--scale", "4"]) == 0
    assert [call[2].scale for call in job.calls] == [2, 4]
    assert module.run(["batch", "a", "--scale", "2"]) == 2
    assert "--scale does not go with --task deblur" in capsys.readouterr().err


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "a/b", "1/0"])
def test_bad_shards(job, shard, capsys):
    assert module.run(["batch", "a", "--shard", shard]) == 2
    assert "counted from 1" in capsys.readouterr().err


def test_lists(job, monkeypatch, capsys):
    stdin = SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(b"b\nc.png\0\xff.png\0"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert module.run(["batch", "a.png", "-", "-0", "-o", "out"]) == 0
    assert job.calls[0][0] == ["a.png", "b\nc.png", os.fsdecode(b"\xff.png")]
    for arguments in ([], ["-", "-"], ["a", "-0"]):
        assert module.run(["batch", *arguments]) == 2


def test_json_is_a_line_for_each_file_and_one_in_the_end(job, capsys):
    job.events = [BatchEvent("file", outcome=DONE), BatchEvent("file", outcome=FAILED)]
    assert module.run(["batch", "a", "--json"]) == 3
    done, failed, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (done["status"], done["output"], done["seconds"]) == ("done", "out/a.png", 1.5)
    assert failed["error"]["what"] == "bad"
    assert (last["summary"]["done"], last["summary"]["failed"]) == (1, 1)


def test_the_summary(job, capsys):
    job.events = [BatchEvent("file", outcome=DONE), BatchEvent("file", outcome=FAILED)]
    job.report = BatchReport("deblur", "m", "out", total=5)
    assert module.run(["batch", "a"]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    rows = dict(line.split(None, 1) for line in shown.err.splitlines() if " " in line)
    assert (rows["restored"], rows["failed"], rows["left"], rows["results"]) == (
        "1",
        "1",
        "3",
        "out",
    )


def test_what_stops_a_batch_is_one_line(job, capsys):
    error = ImageError("cannot write: the disk is full", path="out/a.png", hint="free some space")
    job.report = BatchReport("deblur", "m", "out", stopped_by=error)
    assert module.run(["batch", "a"]) == 3
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == f"error: {error}"
    assert "the same command goes on" in err


def test_dry_run_prints_names_on_one_line(job, capsys):
    odd = Outcome(Item("a\nb.png", "a\nb.png", "a\nb.png"), "planned", "out/a\nb.png")
    job.events = [BatchEvent("file", outcome=odd)]
    assert module.run(["batch", "a", "--dry-run"]) == 0
    assert capsys.readouterr().out == "a\\nb.png -> out/a\\nb.png\n"


def test_the_second_signal_ends_it_at_once(monkeypatch):
    ended = []
    monkeypatch.setattr(batch_module.os, "_exit", ended.append)
    before = signal.getsignal(signal.SIGINT)
    stop = Stop()
    with batch_module._stopped_by_signals(stop) as received:
        signal.raise_signal(signal.SIGINT)
        assert (stop.wanted, received, ended) == (True, [130], [])
        signal.raise_signal(signal.SIGTERM)
        assert (received, ended) == ([130, 143], [143])
    assert signal.getsignal(signal.SIGINT) is before


def test_plain_progress(capsys):
    progress = PlainBatchProgress(Console(), interval_s=0)
    progress(BatchEvent("found", total=3))
    progress(BatchEvent("start", path="in/a.png"))
    progress(BatchEvent("file", outcome=FAILED))
    progress(BatchEvent("file", outcome=DONE))
    err = capsys.readouterr().err
    assert "error: in/a.png: bad" in err
    last = err.splitlines()[-1]
    assert last.startswith("[2/3]: ")
    assert "images/s, 1 failed, " in last
    assert last.endswith(" left")


def test_json_progress(capsys):
    progress = JsonBatchProgress(Console())
    for done in range(1, 100):
        progress(BatchEvent("tiles", path="a", done=done, total=100))
    progress(BatchEvent("tiles", path="a", done=100, total=100))
    progress(BatchEvent("file", outcome=DONE))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) <= 4
    assert lines[-1]["result"]["status"] == "done"
    assert lines[-2]["done"] == 100


def test_silent_progress_still_tells_failures(capsys):
    progress = BatchProgress(Console())
    progress(BatchEvent("file", outcome=DONE))
    progress(BatchEvent("file", outcome=FAILED))
    assert capsys.readouterr().err.splitlines() == ["error: in/a.png: bad"]
