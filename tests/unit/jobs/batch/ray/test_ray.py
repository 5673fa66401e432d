"""What a batch on a cluster does beside Ray: messages, a worker, the books; tests/e2e has Ray."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from restore_cli.errors import DeviceError, ImageError, UsageError, WeightsError
from restore_cli.jobs.batch.claims import LockClaims
from restore_cli.jobs.batch.journal import JOURNAL_NAME
from restore_cli.jobs.batch.options import BatchOptions
from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.ray import cluster as ray_cluster
from restore_cli.jobs.batch.ray import driver as ray_engine
from restore_cli.jobs.batch.ray.cluster import WorkerPool, block_size
from restore_cli.jobs.batch.ray.messages import Answer, Task
from restore_cli.jobs.batch.ray.worker import BatchWorker
from restore_cli.jobs.batch.record import Record
from restore_cli.jobs.batch.report import Item, Outcome
from restore_cli.jobs.batch.run import restore_batch
from tests.options import restore_options

RAY = BatchOptions(engine="ray")
ITEM = Item("/in/\udcff \N{CAT FACE}.png", "\udcff.png", "sub/\udcff.png")


def test_a_task_arrives_as_it_was_sent():
    task = Task(7, ITEM, may_replace=True)
    assert Task.of_bytes(task.to_bytes()) == task


def test_an_answer_arrives_by_the_names_the_user_knows():
    record = Record("done", ITEM.output, ITEM.relative, "1" * 64, "abc", (3, "x"), "2" * 64, 5)
    outcome = Outcome(
        ITEM, "done", "/out/a", width=3, height=4, seconds=1.5, compute_s=0.5, notes=("odd",)
    )
    known = Item("in/a.png", "a.png", "a.png")
    answer = Answer.of_bytes(Answer(7, outcome, (record,)).to_bytes(), known, "out/a")
    expected = Outcome(
        known, "done", "out/a", width=3, height=4, seconds=1.5, compute_s=0.5, notes=("odd",)
    )
    assert answer == Answer(7, expected, (record,))
    assert Answer.number_in(Answer(7, outcome).to_bytes()) == 7


@pytest.mark.parametrize("of", ["/in/\udcff \N{CAT FACE}.png", "/out/a", "/elsewhere"])
def test_an_error_arrives_with_its_kind_and_code(of):
    error = DeviceError("too small", path=of, hint="try less")
    outcome = Outcome(ITEM, "failed", "/out/a", error=error)
    known = Item("in/a.png", "a.png", "a.png")
    back = Answer.of_bytes(Answer(1, outcome).to_bytes(), known, "out/a").outcome.error
    assert type(back) is DeviceError
    assert (back.what, back.hint, back.exit_code) == ("too small", "try less", 5)
    assert back.path == {ITEM.source: "in/a.png", "/out/a": "out/a"}.get(of, of)
    stopped = Answer(1, None, stopped_by=WeightsError("differ", path="w")).to_bytes()
    assert Answer.of_bytes(stopped, known, "out/a").stopped_by.exit_code == 4


def test_what_was_found_in_its_place_counts_as_done():
    sent = Answer(1, Outcome(ITEM, "skipped", "/out/a", reason="done before")).to_bytes()
    outcome = Answer.of_bytes(sent, ITEM, "/out/a").outcome
    assert (outcome.status, outcome.reason) == ("done", "")


@pytest.mark.parametrize(
    ("nodes", "workers", "device", "expected"),
    [
        ([{"CPU": 2}], None, "auto", WorkerPool(2, 1, 0)),
        ([{"CPU": 2}], 8, "auto", WorkerPool(2, 1, 0)),
        ([{"CPU": 16}, {"CPU": 16}], 2, "auto", WorkerPool(2, 16, 0)),
        ([{"CPU": 16}, {"CPU": 4}], 1, "auto", WorkerPool(1, 16, 0)),
        ([{"CPU": 16, "GPU": 4}, {"CPU": 16, "GPU": 4}], None, "auto", WorkerPool(8, 1, 1)),
        ([{"CPU": 16, "GPU": 4}], 3, "cuda", WorkerPool(3, 1, 1)),
        ([{"CPU": 16, "GPU": 4}], None, "cpu", WorkerPool(16, 1, 0)),
        ([{"CPU": 0}], None, "auto", WorkerPool(1, 1, 0)),
    ],
)
def test_a_crew_fits_its_cluster(nodes, workers, device, expected):
    assert WorkerPool.of(nodes, workers, device) == expected


def test_a_gpu_that_is_not_there():
    with pytest.raises(DeviceError, match="no GPU"):
        WorkerPool.of([{"CPU": 8}], None, "cuda:0")


def test_blocks_are_as_many_as_ray_bears():
    assert [block_size(count) for count in (1, 10_000, 10_001, 95_000)] == [1, 1, 2, 10]


class FakeRestorer:
    """Darkens."""

    def __init__(self, model, options, **keywords):
        self.card = SimpleNamespace(name="narrow")
        self.device, self.precision = "cpu", "fp32"

    def __call__(self, pixels, progress=None):
        progress(1, 1)
        return pixels * np.float32(0.5)


class Line:
    """One worker in this process in place of a cluster; it is killed at some files."""

    def __init__(self):
        self.setups, self.sizes, self.killed = [], [], {}
        self.after = lambda: None

    def answers(self, tasks, setup, crew, size, stop):
        self.setups.append(setup)
        self.sizes.append(size)
        worker = BatchWorker(setup)
        for task in tasks:
            if self.killed.get(task.item.relative, 0) > 0:
                self.killed[task.item.relative] -= 1
                continue
            yield worker({"task": task.to_bytes()})["answer"]
            self.after()
            if stop.wanted:
                return


@pytest.fixture(autouse=True)
def line(monkeypatch, tmp_path):
    there = Line()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restore_cli.engine.restorer.Restorer", FakeRestorer)
    monkeypatch.setattr(ray_engine, "connected", lambda _: nullcontext([{"CPU": 2}]))
    monkeypatch.setattr(ray_engine, "answers", there.answers)
    return there


@pytest.fixture
def batch(narrow_model_file):
    def run(*paths, output=None, stop=None, which=RAY, on_event=lambda _: None, **options):
        chosen = restore_options(model=str(narrow_model_file), **options)
        return restore_batch(list(paths), output, chosen, which, on_event, stop)

    return run


def steps(folder):
    lines = [json.loads(line) for line in (folder / JOURNAL_NAME).read_text().splitlines()]
    return [(line["step"], line.get("output")) for line in lines]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != JOURNAL_NAME
    }


def test_the_same_bytes_as_one_machine(batch, photos, tmp_path):
    alone = batch("in", output="alone", which=BatchOptions())
    report = batch("in", output="out")
    assert (report.done, report.pixels) == (alone.done, alone.pixels) == (3, 6000)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    done = [output for step, output in steps(tmp_path / "out") if step == "done"]
    assert sorted(done) == ["a.png", "b.jpg", "sub/c.png"]
    for which in (RAY, BatchOptions()):
        assert batch("in", output="out", which=which).skipped == 3


def test_failures_are_remembered_and_tried_again(batch, photos, line):
    (photos / "bad.png").write_bytes(b"no picture")
    report = batch("in")
    assert (report.done, report.failed, report.exit_code) == (3, 1, 3)
    assert report.failures[0].error.path == "in/bad.png"
    assert (batch("in").failed, len(line.sizes)) == (1, 1)  # nothing was left for a cluster
    assert "--retry-failed" in str(batch("in").failures[0].error)
    again = batch("in", which=BatchOptions(engine="ray", retry_failed=True))
    assert (again.failed, again.skipped, len(line.sizes)) == (1, 3, 2)


def test_fail_fast(batch, photos, line):
    (photos / "a.png").write_bytes(b"no picture")
    report = batch("in", which=BatchOptions(engine="ray", fail_fast=True))
    assert (report.done, report.failed, report.interrupted) == (0, 1, False)


def test_what_was_lost_is_tried_once_more_and_then_listed(batch, photos, line):
    line.killed = {"a.png": 1, "sub/c.png": 2}
    report = batch("in")
    assert (report.done, report.failed) == (2, 1)
    assert report.failures[0].item.relative == "sub/c.png"
    assert "worker" in str(report.failures[0].error)
    assert batch("in").done == 1


def test_a_stop_leaves_the_rest_for_the_next_run(batch, photos, line, tmp_path):
    stop = Stop()
    line.after = lambda: setattr(stop, "wanted", True)
    report = batch("in", stop=stop)
    assert report.interrupted
    assert (report.done, report.failed) == (1, 0)
    line.after = lambda: None
    assert (batch("in").done, batch("in").skipped) == (2, 3)
    assert sorted(path.name for path in (tmp_path / "in_deblur").rglob(".*")) == [JOURNAL_NAME]


@pytest.mark.parametrize("engine", ["ray", "local"])
def test_a_result_whose_driver_was_killed_is_not_foreign(
    batch, photos, line, tmp_path, monkeypatch, engine
):
    def lost(tasks, setup, *_):
        for task in tasks[:2]:
            BatchWorker(setup)({"task": task.to_bytes()})
        yield from ()
        raise KeyboardInterrupt  # as abrupt as a test can be

    with monkeypatch.context() as patch:
        patch.setattr(ray_engine, "answers", lost)
        with pytest.raises(KeyboardInterrupt):
            batch("in")
    before = contents(tmp_path / "in_deblur")
    assert len(before) == 2
    report = batch("in", which=BatchOptions(engine=engine))
    assert (report.done, report.skipped, report.failed) == (1, 2, 0)
    assert before.items() <= contents(tmp_path / "in_deblur").items()


def test_foreign_files_stay(batch, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(b"precious")
    report = batch("in", output="out")
    assert (report.done, report.failed) == (2, 1)
    assert (tmp_path / "out/a.png").read_bytes() == b"precious"
    assert batch("in", output="out", overwrite=True).done == 1


def test_a_worker_with_other_weights_takes_no_part(photos, tmp_path, line, narrow_model_file):
    model = tmp_path / "model.safetensors"
    model.write_bytes(narrow_model_file.read_bytes())

    def replaced(event):
        if event.kind == "model":
            model.write_bytes(narrow_model_file.read_bytes() + b" ")

    report = restore_batch(["in"], None, restore_options(model=str(model)), RAY, replaced)
    assert isinstance(report.stopped_by.__cause__, WeightsError)
    assert (report.exit_code, report.done) == (4, 0)


@pytest.mark.parametrize(("mine", "theirs"), [("ray", "local"), ("local", "ray"), ("ray", "ray")])
def test_a_cluster_has_the_folder_alone(batch, photos, tmp_path, mine, theirs):
    (tmp_path / "out").mkdir()
    right = LockClaims(tmp_path / "out").enter(alone=theirs == "ray")
    with pytest.raises(ImageError, match="at work here"):
        batch("in", output="out", which=BatchOptions(engine=mine))
    right.release()
    assert batch("in", output="out", which=BatchOptions(engine=mine)).done == 3


def test_it_does_not_watch(batch, photos):
    with pytest.raises(UsageError, match="--watch"):
        batch("in", which=BatchOptions(engine="ray", watch=True))


def test_ray_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs Ray") as caught, ray_cluster.connected(None):
        pass
    assert "restore-cli[cluster]" in caught.value.hint


@pytest.mark.parametrize("through", ["option", "variable"])
def test_a_cluster_that_does_not_answer_is_found_at_once(monkeypatch, through):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    if through == "variable":
        monkeypatch.setenv("RAY_ADDRESS", address)
        address = None
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "ray.data", SimpleNamespace())
    with pytest.raises(DeviceError, match=r"127\.0\.0\.1"), ray_cluster.connected(address):
        pass
