from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from restore_cli.engine.kernels import (
    amx,
    avx512_block,
    build,
    upsample_add,
    window_means,
    winograd,
)

NAMES = [*build.LIBRARIES]


def test_files_are_where_they_are_looked_for():
    modules = [amx, upsample_add, avx512_block, window_means]
    libraries = [winograd.LIBRARY, winograd.WIDE_LIBRARY, *(m.LIBRARY for m in modules)]
    assert [build.library_of(name) for name in NAMES] == libraries


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("winograd", "kernels"),
        ("winograd_wide", "kernels"),
        ("amx", "amx"),
        ("upsample_add", "doubling"),
        ("avx512_block", "narrow"),
        ("window_means", "means"),
    ],
)
def test_compiles(name, question, tmp_path):
    try:
        build.find_compiler()
    except build.NotBuiltError:
        pytest.skip("no compiler here")
    library = tmp_path / "made.so"
    try:
        build.compile_library(name, library)
    except build.NotBuiltError as error:
        if "unrecognized" in str(error) or "unknown argument" in str(error):
            pytest.skip("a compiler older than these instructions")
        raise
    assert [path.name for path in tmp_path.iterdir()] == ["made.so"]
    assert getattr(ctypes.CDLL(str(library)), f"restore_{question}_supported")() in {0, 1}


@pytest.mark.parametrize("left_out", [None, *NAMES])
def test_the_wheel_has_what_could_be_compiled(left_out, monkeypatch):
    def compile_library(name, library):
        if name == left_out:
            raise build.NotBuiltError("no such instructions")

    monkeypatch.setattr(build, "compile_library", compile_library)
    data = {"artifacts": [], "pure_python": True}
    build.KernelBuildHook().initialize("standard", data)
    wanted = [f"/restore_cli/engine/kernels/lib{n}.so" for n in NAMES if n != left_out]
    assert data["artifacts"] == wanted
    assert not data["pure_python"]
    assert data["tag"].startswith("py3-none-")


@pytest.mark.parametrize("compiler", ["", "false", "/nowhere/c++"])
def test_without_compiler(compiler, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setenv("PATH", str(tmp_path) if compiler == "" else os.environ["PATH"])
    for name in NAMES:
        (tmp_path / name).write_bytes(b"an older one")
        with pytest.raises(build.NotBuiltError):
            build.compile_library(name, tmp_path / name)
        (tmp_path / name).write_bytes(b"an older one")
    monkeypatch.setattr(build, "library_of", lambda name: tmp_path / name)
    data = {"artifacts": []}
    build.KernelBuildHook().initialize("standard", data)
    assert data == {"artifacts": []}
    assert list(tmp_path.iterdir()) == []
    for name in NAMES:
        assert f"{name} kernels, which are optional" in caplog.text


def test_other_processors(tmp_path, monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "arm64")
    for name in NAMES:
        with pytest.raises(build.NotBuiltError, match="nothing for"):
            build.compile_library(name, tmp_path / "made.so")


def test_build_needs_only_the_standard_library():
    script = f"import runpy; runpy.run_path({build.__file__!r}, run_name='hook')"
    command = [sys.executable, "-S", "-I", "-c", script]
    assert subprocess.run(command, check=False).returncode == 0
