"""What `restore eval` promises: several methods on the same pictures, figures one can use."""

from __future__ import annotations

import csv
import json
import signal

import pytest


@pytest.fixture
def pairs(folder, picture):
    for kind in ("noisy", "clean"):
        (folder / "set" / kind).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            picture(f"set/{kind}/{name}")
    return "set"


def test_eval(restore, folder, pairs, narrow_model_file):
    words = ["-m", narrow_model_file, "--rival", "nlm", "--sigma", 10, "--restored", "set/clean"]
    done = restore("eval", "--data", pairs, *words, "--csv", "rows.csv", "--json", "-q")
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    model, nlm, restored = report["means"]
    assert [mean["pictures"] for mean in report["means"]] == [2, 2, 2]
    assert model["psnr_in_db"] == nlm["psnr_in_db"] == restored["psnr_in_db"]
    assert model["psnr_out_db"] != model["psnr_in_db"]
    assert restored["psnr_out_db"] is None  # equal
    assert model["s_per_megapixel"] > 0
    with (folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == ["a", "a", "a", "b", "b", "b"]
    mean = sum(float(row["psnr_out_db"]) for row in rows[::3]) / 2
    assert mean == pytest.approx(model["psnr_out_db"], abs=1e-3)


def test_a_pair_of_two_sizes(restore, pairs, picture):
    picture("set/noisy/b.png", size=(90, 119))
    done = restore("eval", "--data", pairs, "--rival", "nlm", "--sigma", 10)
    assert done.returncode == 3
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("error: set/noisy/b.png: is 119x90 RGB, its clean one 120x90 RGB")


def test_ctrl_c(start, folder, pairs, picture):
    picture("set/noisy/c.png", size=(2000, 2000))
    picture("set/clean/c.png", size=(2000, 2000))
    words = ["--rival", "nlm", "--sigma", 10, "--csv", "rows.csv", "--progress", "json"]
    process = start("eval", "--data", pairs, *words)
    for line in process.stderr:
        if json.loads(line)["event"] == "measured":
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, b"")
    assert err.splitlines()[-1] == b"error: interrupted"
    assert sorted(path.name for path in folder.iterdir()) == ["set"]
