"""What holds for the program as a whole: version, help, models, doctor, closed pipes."""

from __future__ import annotations

import json
import time

import pytest


def test_version(restore):
    done = restore("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"restore ")


def test_help_is_quick(restore):
    seconds = []
    for _ in range(3):
        started_s = time.perf_counter()
        assert restore("--help").returncode == 0
        seconds.append(time.perf_counter() - started_s)
    assert min(seconds) < 1.0  # 0.25 on an idle machine; this one may be busy


@pytest.mark.parametrize("arguments", [("--help",), ("models", "list"), ("deblur", "--help")])
def test_a_closed_pipe_is_quiet(start, arguments):
    process = start(*arguments)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_completion_needs_no_heavy_import(restore, environment):
    environment |= {
        "_RESTORE_COMPLETE": "complete_bash",
        "COMP_WORDS": "restore deb",
        "COMP_CWORD": "1",
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    done = restore()
    assert done.stdout.split() == [b"deblur"]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert not imported & {"torch", "numpy", "cv2"}


def test_doctor(restore):
    done = restore("doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == (0 if "bundled" not in report["models"] else 4)
    assert report["devices"]["cpu"]["state"] == "ok"
    assert {facts["state"] for facts in report["codecs"].values()} == {"ok"}
    assert report["packages"]["torch"]["detail"]
    assert done.stderr == b""
