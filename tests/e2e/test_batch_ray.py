"""A batch on a Ray cluster of this machine: a worker is killed, a signal comes, Ray is missing."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from importlib.util import find_spec

import psutil
import pytest

from tests.e2e.batches import hidden, records, summary

pytestmark = pytest.mark.slow

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")

COUNT = 12
RAY = ("--engine", "ray", "--ray-address", "local", "--workers", "2")
LONG_S = 1800  # starting a cluster on a busy machine takes its time


@pytest.fixture
def photos(folder, picture):
    (folder / "photos").mkdir()
    for number in range(COUNT):
        picture(f"photos/p{number:02}.{('png', 'jpg', 'tif')[number % 3]}", size=(120, 160))
    return folder / "photos"


def until(condition, process):
    end_s = time.monotonic() + LONG_S
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end_s
        time.sleep(0.02)


def workers(process):
    """The processes that restore, however deep below the program."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if "ray::MapWorker" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def contents(folder):
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")
    }


@needs_ray
def test_a_killed_worker_costs_nothing(start, restore, photos, folder, narrow_model_file):
    (photos / "bad.png").write_bytes(b"no picture")
    model = ("-m", narrow_model_file, "--tta", "--json")
    assert restore("batch", "photos", "-o", "alone", *model).returncode == 3
    process = start("batch", "photos", "-o", "out", *model, *RAY)
    results = folder / "out"
    until(lambda: len(records(results)) >= 3, process)
    victims = workers(process)
    assert victims
    victims[0].send_signal(signal.SIGKILL)
    assert len(records(results)) < COUNT
    out, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 3, err
    assert b"Traceback" not in err
    assert [json.loads(line)["status"] for line in out.splitlines()[:-1]].count("done") == COUNT
    assert (summary(out)["done"], summary(out)["failed"]) == (COUNT, 1)
    assert contents(results) == contents(folder / "alone")
    listed = Counter(record["output"] for record in records(results))
    assert set(listed.values()) == {1}
    assert len(listed) == COUNT
    assert hidden(results) == []
    assert psutil.wait_procs(victims, timeout=60)[1] == []

    again = restore("batch", "photos", "-o", "out", *model, *RAY)
    assert again.returncode == 3
    assert (summary(again.stdout)["skipped"], summary(again.stdout)["failed"]) == (COUNT, 1)


@needs_ray
@pytest.mark.skipif(find_spec("av") is None, reason="av is not installed")
def test_videos_among_the_photos(restore, folder, picture, narrow_model_file):
    from tests.unit.imaging.video.clips import write_clip

    (folder / "photos").mkdir()
    picture("photos/a.png", size=(60, 64))
    write_clip(folder / "photos" / "clip.mp4")
    model = ("-m", narrow_model_file, "--json")
    assert restore("batch", "photos", "-o", "alone", *model).returncode == 0
    done = restore("batch", "photos", "-o", "out", *model, *RAY)
    assert done.returncode == 0, done.stderr
    assert summary(done.stdout)["done"] == 2
    assert contents(folder / "out") == contents(folder / "alone")


@needs_ray
def test_a_signal_ends_it_and_one_machine_goes_on(
    start, restore, photos, folder, narrow_model_file
):
    command = ("batch", "photos", "-o", "out", "-m", narrow_model_file, "--tta", "--json")
    process = start(*command, *RAY)
    results = folder / "out"
    until(lambda: len(records(results)) >= 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, err
    assert b"the same command goes on" in err
    assert b"Traceback" not in err
    counts = summary(out)
    assert counts["interrupted"]
    assert 2 <= counts["done"] < COUNT
    assert hidden(results) == []
    again = summary(restore(*command).stdout)
    assert again["done"] + again["skipped"] == COUNT
    assert again["skipped"] >= counts["done"]
    assert set(Counter(record["output"] for record in records(results)).values()) == {1}
    assert restore("batch", "photos", "-o", "alone", *command[4:]).returncode == 0
    assert contents(results) == contents(folder / "alone")


@needs_ray
def test_a_cluster_that_is_not_there_is_one_line(restore, photos, narrow_model_file):
    done = restore(
        "batch",
        "photos",
        "-m",
        narrow_model_file,
        "--engine",
        "ray",
        "--ray-address",
        "127.0.0.1:9",
    )
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(b"error:")]
    assert done.returncode == 5
    assert b"127.0.0.1:9" in line
    assert b"Traceback" not in done.stderr


def test_ray_that_is_missing_is_one_line(restore, environment, photos, folder, narrow_model_file):
    (folder / "without").mkdir()
    (folder / "without/ray.py").write_text("raise ImportError('No module named ray')")
    environment["PYTHONPATH"] = str(folder / "without")
    done = restore("batch", "photos", "-m", narrow_model_file, "--engine", "ray")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(b"error:")]
    assert done.returncode == 2
    assert b"restore-cli[cluster]" in line
