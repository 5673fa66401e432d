"""What `restore export` promises: a file that was checked, and nothing on stderr but ours."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def test_export(restore, narrow_model_file, folder):
    command = ("export", "-m", narrow_model_file, "--size", "48x32")
    done = restore(*command, "-o", "m.onnx", "--json")
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    report = json.loads(done.stdout)
    assert report["input_shape"] == [1, 3, 32, 48]
    assert report["max_difference"] < 1e-5
    assert [path.name for path in folder.iterdir()] == ["m.onnx"]
    failed = restore(*command, "-o", "gone/m.onnx", "-q")
    assert failed.returncode == 4
    assert b"gone/m.onnx: cannot be written: it is in a folder that does not exist" in failed.stderr
