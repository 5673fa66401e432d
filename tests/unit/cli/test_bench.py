from __future__ import annotations

import json
import sys

import pytest

from restore_cli.cli import app as module


@pytest.fixture
def arguments(narrow_model_file):
    return ["bench", "-m", str(narrow_model_file), "--size", "40x24", "--repeats", "2"]


def test_the_table(arguments, capsys):
    assert module.run([*arguments, "--no-memory", "--precision", "fp32"]) == 0
    out, err = capsys.readouterr()
    head, plain, restore = (line.split("\t") for line in out.splitlines())
    assert head[:3] == ["model", "size", "variant"]
    assert plain[:3] == ["narrow", "40x24", "plain (fp32, eager)"]
    assert plain[5] == "1.00x"
    assert restore[2].startswith("restore (fp32")
    assert restore[7].endswith(" %")
    assert restore[9] == "equal" or float(restore[9].removesuffix(" dB")) > 100
    assert "narrow 40x24: round 2 of 2" in err
    assert "ceiling in fp32: 3x3 convolution" in err


def test_json_and_quiet(arguments, capsys):
    assert module.run([*arguments, "--no-memory", "--json", "-q", "--size", "16X16"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    report = json.loads(out)
    assert report["repeats"] == 2
    assert [(run["width"], run["height"]) for run in report["runs"]] == [(40, 24), (16, 16)]
    assert [variant["name"] for variant in report["runs"][0]["variants"]] == ["plain", "restore"]


@pytest.mark.parametrize(
    ("extra", "code", "line"),
    [
        (["--size", "40"], 2, "'40' is no size such as 1280x720"),
        (["--size", "0x40"], 2, "'0x40' is no size"),
        (["--repeats", "0"], 2, "Invalid value for '--repeats'"),
        (["-m", "nope"], 4, "no model is called 'nope'"),
        (["--against", "gone.onnx"], 2, "pip install 'restore-cli[onnx]'"),
    ],
)
def test_errors(arguments, monkeypatch, capsys, extra, code, line):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert module.run([*arguments, *extra, "--no-memory"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert err.splitlines()[-1].startswith("error: ")


def test_a_plan_is_a_prediction_only(narrow_model_file, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    words = ["bench", "--plan", "-m", str(narrow_model_file), "--device", "cpu"]
    words += ["--size", "64x48", "--size", "6000x4000", "--tile", "192"]
    assert module.run([*words, "--json"]) == 0
    small, large = json.loads(capsys.readouterr().out)["plans"]
    assert (small["width"], small["height"], small["in_parts"]) == (64, 48, False)
    assert (small["tiles"], large["in_parts"]) == ("1 of 64x48", True)
    assert 0 < small["predicted_seconds"] < large["predicted_seconds"]
    assert small["predicted_peak_bytes"] < large["predicted_peak_bytes"]
    assert module.run(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == ["model", "size", "how", "tiles", "seconds", "peak memory"]
    assert lines[2].split("\t")[1:3] == ["6000x4000", "in parts"]
    assert module.run([*words, "--max-memory", "100M"]) == 5
    assert "--max-memory is 100M" in capsys.readouterr().err
