"""The program in a subprocess, as a user's shell would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image

COMMAND = [sys.executable, "-m", "restore_cli"]


@pytest.fixture
def environment(tmp_path):
    """Nothing of the developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESTORE_")}
    home = tmp_path / "home"
    return kept | {
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "80",
        "TERM": "dumb",
    }


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "work"
    place.mkdir()
    return place


@pytest.fixture
def restore(environment, folder):
    """Run the program in ``folder``; stdout and stderr are bytes."""

    def run(*arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "input": b"", **options}
        if "stdin" in options:
            del options["input"]
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=environment, check=False, **options)

    return run


@pytest.fixture
def start(environment, folder):
    """Start the program in ``folder`` and return its process."""
    started = []

    def run(*arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        # A shell in the background has its children ignore Ctrl-C, and they would inherit that.
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        command = [*COMMAND, *map(str, arguments)]
        started.append(subprocess.Popen(command, cwd=folder, env=environment, **options))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream and not stream.closed:
                stream.close()


@pytest.fixture
def picture(folder, rng):
    """Write a smooth random picture and return its name."""

    def write(name, size=(90, 120), channels=3, **facts):
        coarse = rng.random((size[0] // 30 + 1, size[1] // 30 + 1, channels), dtype=np.float32)
        pixels = np.kron(coarse, np.ones((30, 30, 1), np.float32))[: size[0], : size[1]]
        write_image(folder / name, Image(np.ascontiguousarray(pixels), **facts))
        return name

    return write
