import os
import subprocess
import sys

import pytest

from restore_cli.cli import allocator


@pytest.fixture
def started(monkeypatch):
    """Collect what would be started instead of this process."""
    calls = []
    monkeypatch.setattr(os, "execve", lambda *arguments: calls.append(arguments))
    monkeypatch.delenv(allocator.TUNABLES, raising=False)
    return calls


@pytest.mark.skipif(not allocator._is_glibc(), reason="another C library")
def test_the_same_program_with_the_same_arguments(started):
    allocator.keep_freed_memory(["deblur", "a b.png"])
    [(program, arguments, environment)] = started
    assert program == arguments[0] == sys.executable
    assert arguments[1:] == sys.orig_argv[1:]
    assert "mmap_threshold" in environment[allocator.TUNABLES]
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["models", "list"], ["doctor"]])
def test_commands_without_a_network_go_on_as_they_are(started, arguments):
    allocator.keep_freed_memory(arguments)
    assert started == []


def test_only_once_and_never_against_the_user(started, monkeypatch):
    monkeypatch.setenv(allocator.TUNABLES, "glibc.malloc.check=1")
    allocator.keep_freed_memory(["deblur", "a.png"])
    assert started == []


@pytest.mark.skipif(not allocator._is_glibc(), reason="another C library")
def test_the_program_runs_with_it():
    code = (
        "import os, sys\n"
        "from restore_cli.cli.allocator import keep_freed_memory\n"
        "keep_freed_memory(sys.argv[1:])\n"
        "sys.stdout.write(os.environ['GLIBC_TUNABLES'] + sys.stdin.read() + sys.argv[2])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != allocator.TUNABLES}
    command = [sys.executable, "-c", code, "deblur", "a b.png"]
    done = subprocess.run(
        command, input="in", capture_output=True, text=True, check=True, env=environment
    )
    assert "trim_threshold" in done.stdout
    assert done.stdout.endswith("ina b.png")
