import os
import subprocess
import sys

import pytest

from restore_cli.cli import malloc_tuning


@pytest.fixture
def started(monkeypatch):
    """Collect what would be started instead of this process."""
    calls = []
    monkeypatch.setattr(os, "execve", lambda *arguments: calls.append(arguments))
    monkeypatch.delenv(malloc_tuning.TUNABLES, raising=False)
    return calls


@pytest.mark.skipif(malloc_tuning._glibc_version() is None, reason="another C library")
def test_the_same_program_with_the_same_arguments(started):
    malloc_tuning.avoid_page_faults(["deblur", "a b.png"])
    [(program, arguments, environment)] = started
    assert program == arguments[0] == sys.executable
    assert arguments[1:] == sys.orig_argv[1:]
    assert "mmap_threshold" in environment[malloc_tuning.TUNABLES]
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.skipif(malloc_tuning._glibc_version() is None, reason="another C library")
def test_what_is_planned_is_planned_for_commands_with_it(started):
    malloc_tuning.avoid_page_faults(["bench", "--plan"])
    assert len(started) == 1


@pytest.mark.parametrize(
    ("glibc", "setting", "are_huge"),
    [
        ((2, 36), "always [madvise] never", True),
        ((2, 34), "[always] madvise never", True),
        ((2, 31), "always [madvise] never", False),
        ((2, 36), "always madvise [never]", False),
        ((2, 36), None, False),
    ],
)
def test_freed_memory_is_kept_only_where_pages_are_small(tmp_path, glibc, setting, are_huge):
    file = tmp_path / "enabled"
    if setting is not None:
        file.write_text(setting)
    chosen = malloc_tuning.tunables(glibc, file)
    assert ("hugetlb=1" in chosen, "trim_threshold" in chosen) == (are_huge, not are_huge)


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["models", "list"], ["doctor"], ["bench", "-m", "mimo"]]
)
def test_commands_without_a_network_go_on_as_they_are(started, arguments):
    malloc_tuning.avoid_page_faults(arguments)
    assert started == []


def test_only_once_and_never_against_the_user(started, monkeypatch):
    monkeypatch.setenv(malloc_tuning.TUNABLES, "glibc.malloc.check=1")
    malloc_tuning.avoid_page_faults(["deblur", "a.png"])
    assert started == []


@pytest.mark.skipif(malloc_tuning._glibc_version() is None, reason="another C library")
def test_the_program_runs_with_it():
    code = (
        "import os, sys\n"
        "from restore_cli.cli.malloc_tuning import avoid_page_faults\n"
        "avoid_page_faults(sys.argv[1:])\n"
        "sys.stdout.write(os.environ['GLIBC_TUNABLES'] + sys.stdin.read() + sys.argv[2])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != malloc_tuning.TUNABLES}
    command = [sys.executable, "-c", code, "deblur", "a b.png"]
    done = subprocess.run(
        command, input="in", capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == malloc_tuning.tunables(malloc_tuning._glibc_version()) + "ina b.png"
