from __future__ import annotations

import json

import numpy as np
import pytest

from restore_cli.cli import app as module
from restore_cli.cli.eval_tables import shortened
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from restore_cli.jobs.eval import run
from restore_cli.jobs.eval.report import EvalReport, MethodFacts, Row, Score, Step
from restore_cli.weights import catalog

ROWS = (
    Row("s", "a", "m", 1000, 500, Score(20, 0.5), Score(25.126, 0.6), 1.0),
    Row("s", "b", "m", 1000, 500, Score(float("inf"), None), Score(30, None), None),
)


@pytest.fixture
def calls(monkeypatch):
    """What the job is asked for; it answers as the real one does."""
    asked = []

    def job(options, on_step, say):
        asked.append(options)
        say("1 files without a partner")
        on_step(Step(0, 2))
        on_step(Step(1, 2, ROWS[0]))
        return EvalReport("cpu", 2, "2.13", {}, (MethodFacts("m", "model", "fp32"),), ROWS)

    monkeypatch.setattr(run, "evaluate", job)
    return asked


def test_options_reach_the_job(calls, tmp_path):
    words = ["eval", "--data", "x", "--data", "y", "-m", "one", "-m", "two", "--onnx", "f.onnx"]
    words += [
        "--restored",
        "r",
        "--rival",
        "nlm",
        "--noise",
        "25",
        "--kernels",
        "k",
        "--limit",
        "3",
    ]
    words += ["--grey", "--align", "--csv", "f.csv", "--tile", "256", "--device", "cpu", "--tta"]
    assert module.run(words) == 0
    (options,) = calls
    assert [str(path) for path in options.data] == ["x", "y"]
    assert (options.noise_sigma_8bit, options.limit, options.csv.name) == (25, 3, "f.csv")
    assert (options.grey, options.align, options.clean, options.luma) == (True, True, False, False)
    methods = options.methods
    assert (methods.models, methods.sigmas_8bit) == (("one", "two"), (25,))
    assert [*map(str, [*methods.onnx, *methods.restored])] == ["f.onnx", "r"]
    assert (list(methods.rivals), options.engine.tile, options.engine.tta) == (["nlm"], 256, True)
    assert module.run(["eval", "--data", "x", "--sigma", "5", "--sigma", "10", "--noise", "7"]) == 0
    assert calls[1].methods.sigmas_8bit == (5, 10)
    assert module.run(["eval", "--data", "x"]) == 0
    assert (calls[2].methods.sigmas_8bit, calls[2].methods.task) == ((), None)


def test_the_table(calls, capsys):
    assert module.run(["eval", "--data", "x", "-v"]) == 0
    out, err = capsys.readouterr()
    head, *rows = (line.split("\t") for line in out.splitlines())
    assert head[2:6] == ["method", "PSNR in", "PSNR out", "gain"]
    assert rows[0] == ["s", "a", "m", "20.00", "25.13", "+5.13", "0.5000", "0.6000", "2"]
    assert rows[1] == ["s", "b", "m", "inf", "30.00", "-inf", "", "", ""]
    assert rows[2][1:5] == ["mean of 2", "m", "inf", "27.56"]
    assert "note: 1 files without a partner" in err
    assert "m, fp32" in err
    assert module.run(["eval", "--data", "x", "--means", "-q"]) == 0
    out, err = capsys.readouterr()
    assert (len(out.splitlines()), err) == (2, "")


@pytest.mark.parametrize(
    ("paths", "short"),
    [
        (["/data/levin", "mimo"], ["levin", "mimo"]),
        (["/a/runs/one/best", "/a/runs/two/best"], ["one/best", "two/best"]),
        (["x/best", "best", "x/best"], ["x/best", "best", "x/best"]),
        (["blur/", "sharp/"], ["blur/", "sharp/"]),
        ([], []),
    ],
)
def test_paths_are_shortened_as_far_as_they_differ(paths, short):
    found = shortened(paths)
    assert [found[path] for path in paths] == short


def test_json(calls, capsys):
    assert module.run(["eval", "--data", "x", "--json", "--progress", "json", "-q"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert [row["psnr_in_db"] for row in report["pictures"]] == [20, None]
    assert report["means"][0]["pictures"] == 2
    start, measured = map(json.loads, err.splitlines())
    assert (start["event"], start["total"]) == ("start", 2)
    assert (measured["event"], measured["gain_db"]) == ("measured", 5.126)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ("blur", "sharp"):
        (tmp_path / kind).mkdir()
        write_image(tmp_path / kind / "a.png", Image(np.full((16, 16, 3), 0.5, np.float32)))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ([], 2, "Missing option '--data'"),
        (["--data", "gone"], 2, "gone: no such folder"),
        (["--data", "sharp"], 3, "sharp: no pairs in this folder"),
        (["--data", ".", "--noise", "5"], 2, "these pictures are degraded already"),
        (["--data", ".", "--rival", "bm3d"], 2, "'bm3d' is none of nlm"),
        (["--data", ".", "--rival", "nlm"], 2, "nlm needs to be told the noise"),
        (["--data", ".", "--rival", "wiener"], 2, "wiener needs to be told the kernel"),
        (["--data", ".", "-m", "nope"], 4, "no model is called 'nope'"),
        (["--data", ".", "--task", "derain"], 4, "no model for derain"),
        (["--data", ".", "--restored", "gone"], 2, "gone: no such folder"),
        (["--data", ".", "--limit", "0"], 2, "--limit"),
        (["--data", ".", "--rival", "nlm", "--sigma", "1", "--csv", "no/x"], 2, "no/x: the folder"),
    ],
)
def test_errors(folder, monkeypatch, capsys, words, code, line):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setattr(catalog, "BUNDLED", folder / "none")
    assert module.run(["eval", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert err.splitlines()[-1].startswith("error: ")


def test_a_damaged_picture(folder, capsys):
    (folder / "blur" / "a.png").write_bytes(b"no picture")
    assert module.run(["eval", "--data", ".", "--rival", "nlm", "--sigma", "1"]) == 3
    assert "blur/a.png" in capsys.readouterr().err
