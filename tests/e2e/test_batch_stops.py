"""How a batch ends early, goes on, and shares its folder: signals, a full disk, other processes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter

import pytest

from tests.e2e.batches import hidden, records, summary

COUNT = 12


@pytest.fixture
def photos(folder, picture):
    (folder / "photos").mkdir()
    for number in range(COUNT):
        picture(f"photos/p{number:02}.png", size=(180, 240))
    return folder / "photos"


def until(condition, process=None, timeout_s=60):
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert process is None or process.poll() is None, process.stderr.read()
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_good_order(
    start, restore, photos, folder, narrow_model_file, number, code
):
    process = start("batch", "photos", "-m", narrow_model_file, "--tta", "--json")
    results = folder / "photos_deblur"
    until(lambda: len(records(results)) > 1, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"the same command goes on" in err
    counts = summary(out)
    assert counts["interrupted"]
    assert 2 <= counts["done"] < COUNT
    assert hidden(results) == []
    assert len(list(results.glob("*.png"))) == counts["done"] == len(records(results))
    again = summary(restore("batch", "photos", "-m", narrow_model_file, "--tta", "--json").stdout)
    assert (again["skipped"], again["done"]) == (counts["done"], COUNT - counts["done"])


def test_two_share_the_work(start, photos, folder, narrow_model_file):
    both = [start("batch", "photos", "-m", narrow_model_file, "--tta", "--json") for _ in range(2)]
    counts = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        counts.append(summary(out))
    results = folder / "photos_deblur"
    assert all(count["done"] + count["skipped"] == COUNT for count in counts)
    assert sum(count["done"] for count in counts) == COUNT
    assert set(Counter(record["output"] for record in records(results)).values()) == {1}
    assert hidden(results) == []


def test_shards_add_up(restore, photos, folder, narrow_model_file):
    done = [
        summary(
            restore("batch", "photos", "-m", narrow_model_file, "--shard", shard, "--json").stdout
        )
        for shard in ("1/3", "2/3", "3/3")
    ]
    assert sum(counts["done"] for counts in done) == COUNT
    assert sum(counts["skipped"] for counts in done) == 0
    assert len(list((folder / "photos_deblur").glob("*.png"))) == COUNT


def test_a_hot_folder(start, photos, folder, narrow_model_file):
    arguments = ("--watch", "--poll", "0.3", "-m", narrow_model_file, "--json")
    process = start("batch", "photos", "-o", "out", *arguments)
    results = folder / "out"
    until(lambda: len(records(results)) == COUNT, process)
    data = (photos / "p00.png").read_bytes()
    with (photos / "slow.png").open("wb", buffering=0) as file:
        for at in range(0, len(data), -(-len(data) // 8)):
            file.write(data[at : at + -(-len(data) // 8)])
            time.sleep(0.1)
            assert not (results / "slow.png").exists()
    until(lambda: len(records(results)) == COUNT + 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (summary(out)["done"], summary(out)["failed"]) == (COUNT + 1, 0)
    assert (results / "slow.png").read_bytes() == (results / "p00.png").read_bytes()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 kB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("cannot mount a small disk here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_stops_it_with_one_line(
    restore, folder, picture, small_disk, narrow_model_file, rng
):
    (folder / "photos").mkdir()
    for number in range(4):
        picture(f"photos/p{number}.png", size=(90, 120))
    arguments = ("batch", "photos", "-o", small_disk / "out", "-m", narrow_model_file)
    (small_disk / "ballast").write_bytes(bytes(88 * 1024))
    done = restore(*arguments, "--format", "bmp")
    errors = [line for line in done.stderr.splitlines() if line.startswith(b"error:")]
    assert done.returncode == 3
    assert len(errors) == 1
    assert b"the disk is full" in errors[0]
    assert b"Traceback" not in done.stderr
    finished = len(list((small_disk / "out").glob("*.bmp")))
    assert finished < 4
    assert hidden(small_disk / "out") == []
    (small_disk / "ballast").unlink()
    for path in (small_disk / "out").glob("*.bmp"):  # a disk that holds all of them is larger
        assert len(path.read_bytes()) > 90 * 120 * 3
    again = restore(*arguments, "--json", "--format", "jpg")
    assert (again.returncode, summary(again.stdout)["done"]) == (0, 4)


def test_nothing_leaves_the_folder_of_results(restore, photos, folder, narrow_model_file):
    outside, results = folder / "outside", folder / "out"
    (photos / "sub").mkdir()
    (photos / "p00.png").rename(photos / "sub" / "p00.png")
    outside.mkdir()
    results.mkdir()
    (results / "sub").symlink_to(outside)
    (outside / "precious").write_bytes(b"mine")
    (results / "p01.png").symlink_to(outside / "precious")
    (results / "p02.png").symlink_to(outside / "nothing")
    done = restore("batch", "photos", "-o", "out", "-m", narrow_model_file, "--overwrite")
    assert done.returncode == 3
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_bytes() == b"mine"
    assert len(records(results)) == COUNT - 3
    assert done.stderr.count(b"error:") == 3
