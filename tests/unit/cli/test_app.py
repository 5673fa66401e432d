from __future__ import annotations

import subprocess
import sys

import pytest

from restore_cli.cli import app as module
from restore_cli.errors import DeviceError, ImageError, ResultError, WeightsError


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def raise_from_models_list(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr("restore_cli.weights.catalog.all_cards", fail)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ImageError("bad", path="a.png"), 3, "error: a.png: bad"),
        (WeightsError("unknown", hint="try b"), 4, "error: unknown (try b)"),
        (DeviceError("absent"), 5, "error: absent"),
        (ResultError("black"), 6, "error: black"),
        (OSError(28, "No space left on device", "x"), 1, "error: x: no space left on device"),
        (MemoryError(), 5, "error: out of memory (try a smaller --tile)"),
        (KeyError("x"), 1, "error: unexpected KeyError: 'x' (run with --debug for details)"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (BrokenPipeError(32, "Broken pipe"), 141, None),
    ],
)
def test_each_error_has_its_exit_code_and_line(monkeypatch, capfd, error, code, line):
    monkeypatch.setattr(module, "_closed_pipe", lambda: module.CLOSED_PIPE)
    raise_from_models_list(monkeypatch, error)
    assert module.run(["models", "list"]) == code
    assert capfd.readouterr().err.splitlines() == ([line] if line else [])


def test_debug_shows_the_traceback(monkeypatch, capsys):
    raise_from_models_list(monkeypatch, KeyError("x"))
    assert module.run(["models", "list", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1] == "error: unexpected KeyError: 'x'"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nope"], "error: No such command 'nope' (see restore --help)"),
        (
            ["dublur"],
            "error: No such command 'dublur'. Did you mean 'deblur'? (see restore --help)",
        ),
        (
            ["deblur", "--formt"],
            "error: No such option: --formt (Possible options: --format, --pix-fmt)"
            " (see restore deblur --help)",
        ),
        (
            ["deblur", "a", "--tile", "x"],
            "error: Invalid value for '--tile' / '-t': 'x' is neither auto, nor 0, nor at least 64"
            " (see restore deblur --help)",
        ),
        (
            ["deblur", "a", "--precision", "int8"],
            "error: Invalid value for '--precision': 'int8' is not one of 'auto', 'fp32', 'fp16',"
            " 'bf16' (see restore deblur --help)",
        ),
        (
            ["deblur", "a", "-d", "gpu"],
            "error: Invalid value for '--device' / '-d': 'gpu' is none of auto, cpu, cuda, cuda:N,"
            " mps (see restore deblur --help)",
        ),
        (
            ["deblur"],
            "error: no input: name images, or - for standard input (for example:"
            " restore deblur photo.jpg; more in restore deblur --help)",
        ),
    ],
)
def test_usage_errors(capsys, arguments, line):
    assert module.run(arguments) == 2
    assert capsys.readouterr().err.splitlines() == [line]


def test_without_a_command_the_help_is_shown(capsys):
    assert module.run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: restore")


def test_a_bad_setting_names_where_it_was_set(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("RESTORE_TILE", "x")
    assert module.run(["deblur", "a"]) == 2
    assert "set by RESTORE_TILE" in capsys.readouterr().err
    monkeypatch.delenv("RESTORE_TILE")
    (tmp_path / "restore.toml").write_text('strength = "much"')
    assert module.run(["deblur", "a"]) == 2
    assert "set in restore.toml" in capsys.readouterr().err


def test_version(capsys):
    assert module.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("restore ")


def test_building_the_cli_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'cv2', 'rich'}"
    code = (
        "import sys, restore_cli.cli.app as a;"
        "a.run(['--help']); a.run(['deblur', '--help']);"
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
