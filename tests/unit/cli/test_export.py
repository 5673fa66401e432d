from __future__ import annotations

import json
import sys

import pytest

from restore_cli.cli import app as module


@pytest.fixture
def calls(monkeypatch):
    """What the job is asked for; it answers as the real one does."""
    from restore_cli.jobs.export import run as export_onnx

    asked = []

    def job(*arguments):
        asked.append(arguments)
        return export_onnx.ExportReport(
            model="x",
            path=str(arguments[1]),
            size_bytes=3 * 2**20,
            opset=20,
            input_shape=("n", 3, "8*h", "8*w"),
            multiple_of=8,
            max_difference=1.5e-7,
            checked=((1, 64, 64),),
            notes=("means are global",),
        )

    monkeypatch.setattr(export_onnx, "export_onnx", job)
    return asked


def test_options_reach_the_job_and_its_report_the_user(calls, capsys, tmp_path):
    path = tmp_path / "m.onnx"
    assert module.run(["export", "-m", "x", "-o", str(path), "--size", "64x48"]) == 0
    assert calls == [("x", path, (64, 48))]
    out, err = capsys.readouterr()
    assert out == ""
    assert "note: means are global" in err
    assert err.splitlines()[-1] == (
        f"{path}: 3.0 MiB, opset 20, takes (n, 3, 8*h, 8*w); differs from the network by at most"
        " 1.5e-07"
    )
    assert module.run(["export", "-m", "x", "-o", str(path), "--json", "-q"]) == 0
    assert calls[1] == ("x", path, None)
    out, err = capsys.readouterr()
    assert err == ""
    report = json.loads(out)
    assert report["input_shape"] == ["n", 3, "8*h", "8*w"]
    assert report["checked"] == [[1, 64, 64]]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["-m", "mimo"], 2, "Missing option '--output' / '-o'"),
        (["-o", "m.onnx"], 2, "Missing option '--model' / '-m'"),
        (["-m", "mimo", "-o", "-"], 2, "not written to a pipe"),
        (["-m", "mimo", "-o", "m.onnx", "--size", "9"], 2, "'9' is no size"),
        (["-m", "mimo", "-o", "m.onnx"], 2, "(pip install 'restore-cli[onnx]')"),
    ],
)
def test_errors(arguments, code, line, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert module.run(["export", *arguments]) == code
    err = capsys.readouterr().err.splitlines()
    assert line in err[-1]
    assert err[-1].startswith("error: ")
    assert not list(tmp_path.iterdir())
