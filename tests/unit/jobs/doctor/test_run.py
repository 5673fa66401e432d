from __future__ import annotations

import importlib.metadata

from restore_cli.jobs.doctor import run as doctor
from restore_cli.jobs.doctor.report import DoctorReport, Finding


def findings(topic):
    return {f.name: f for f in doctor.examine().findings if f.topic == topic}


def test_a_complete_machine_has_no_bad_findings_but_models():
    bad = [f for f in doctor.examine().findings if f.state == "bad" and f.topic != "models"]
    assert bad == []


def test_cached_models_are_verified(narrow_model_file, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "restore" / "weights"
    cache.mkdir(parents=True)
    data = bytearray(narrow_model_file.read_bytes())
    (cache / "good.safetensors").write_bytes(data)
    assert findings("models")["narrow"].state == "ok"
    data[-1] ^= 1
    (cache / "good.safetensors").write_bytes(data)
    assert findings("models")["narrow"].detail == "wrong checksum"
    (cache / "good.safetensors").write_bytes(b"x")
    assert findings("models")["good"].state == "bad"


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    def version(name):
        if name == "tifffile":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr("importlib.metadata.version", version)
    finding = findings("packages")["tifffile"]
    assert (finding.state, finding.exit_code) == ("bad", 3)
    assert finding.advice == "pip install tifffile"


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def fail():
        raise ImportError("no torch")

    monkeypatch.setitem(doctor._CHECKS, "devices", fail)
    report = doctor.examine()
    assert report.exit_code == 5
    assert any(f.detail == "no torch" for f in report.findings)
    assert any(f.topic == "codecs" for f in report.findings)


def test_settings_files_are_named(tmp_path):
    (tmp_path / "a.toml").write_text("")
    paths = (str(tmp_path / "a.toml"), str(tmp_path / "b.toml"))
    found = [f for f in doctor.examine(paths).findings if f.topic == "settings"]
    assert [(f.name, f.detail) for f in found] == [(paths[0], "found"), (paths[1], "none")]


def test_the_exit_code_is_that_of_the_first_bad_finding():
    findings = (
        Finding("a", "x", "missing"),
        Finding("a", "y", "bad", exit_code=4),
        Finding("a", "z", "bad", exit_code=3),
    )
    assert DoctorReport(findings).exit_code == 4
    assert DoctorReport(findings[:1]).exit_code == 0
