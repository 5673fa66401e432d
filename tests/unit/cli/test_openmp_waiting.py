import os
import subprocess
import sys

import pytest

from restore_cli.cli import openmp_waiting


@pytest.fixture(autouse=True)
def chosen_by_nobody(monkeypatch):
    for name in openmp_waiting._CHOSEN_BY_USER:
        monkeypatch.setenv(name, "")  # put back, whatever the test does to it
        monkeypatch.delenv(name)


def test_threads_sleep():
    openmp_waiting.let_waiting_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.parametrize("name", openmp_waiting._CHOSEN_BY_USER)
def test_never_against_the_user(name, monkeypatch):
    monkeypatch.setenv(name, "7")
    openmp_waiting.let_waiting_threads_sleep()
    assert os.environ[name] == "7"
    assert name == "OMP_WAIT_POLICY" or "OMP_WAIT_POLICY" not in os.environ


def test_torch_is_told_before_it_is_imported():
    code = (
        "import os, sys\n"
        "import restore_cli.cli.app as app\n"
        "assert 'torch' not in sys.modules\n"
        "sys.argv = ['restore', '--version']\n"
        "try:\n"
        "    app.main()\n"
        "finally:\n"
        "    sys.stdout.write(os.environ['OMP_WAIT_POLICY'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("PASSIVE")
