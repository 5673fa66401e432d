from __future__ import annotations

from pathlib import Path

import pytest

from restore_cli.cli import config_files
from restore_cli.cli.app import config_keys
from restore_cli.errors import UsageError


@pytest.fixture(autouse=True)
def _places(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "xdg" / "restore").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


def write_project(text):
    Path(config_files.PROJECT_FILE).write_text(text)


def write_user(text):
    config_files.user_file().write_text(text)


def loaded(command):
    return config_files.load(command, config_keys())


def test_without_files_there_are_no_defaults():
    assert loaded("deblur") == {}


def test_the_project_beats_the_user_key_by_key():
    write_user('device = "cuda"\ntile = 64\n[deblur]\ntta = true\n')
    write_project("tile = 128\n")
    assert loaded("deblur") == {"device": "cuda", "tile": 128, "tta": True}


def test_a_commands_table_beats_the_top_of_its_file():
    write_project("tile = 128\n[deblur]\ntile = 256\n")
    assert loaded("deblur")["tile"] == 256


def test_a_command_takes_only_what_it_has_options_for():
    write_project('device = "cpu"\ntile = 128\nmodel = "mimo"\n')
    assert loaded("train") == {"device": "cpu"}


@pytest.mark.parametrize("command", ["deblur", "denoise", "derain", "enhance", "upscale"])
def test_every_restoring_command_has_settings(command):
    write_project('pooling = "global"\nscale = 3\n[denoise]\nstrength = 0.5\n')
    extra = {"upscale": {"scale": 3}, "denoise": {"strength": 0.5}}.get(command, {})
    assert loaded(command) == {"pooling": "global", **extra}


def test_keys_take_dashes_and_underscores():
    write_project("bit-depth = 16\n")
    assert loaded("deblur") == {"bit_depth": 16}


def test_commands_without_settings_read_no_files():
    write_project("nonsense")
    assert loaded("doctor") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tiel = 64", "restore.toml: unknown key tiel (did you mean tile?)"),
        ("[deblur]\ntiel = 64", "restore.toml: unknown key deblur.tiel (did you mean tile?)"),
        ("[deblurr]\ntile = 64", "restore.toml: unknown key [deblurr] (did you mean deblur?)"),
        ("[deblur]\nscale = 2", "restore.toml: unknown key deblur.scale"),
        ("overwrite = true", "restore.toml: unknown key overwrite"),
        ("tile = [1]", "restore.toml: tile is not a single value"),
        ("tile =", "restore.toml: not a readable TOML file"),
    ],
)
def test_errors(text, message):
    write_project(text)
    with pytest.raises(UsageError) as caught:
        loaded("deblur")
    assert str(caught.value).startswith(message)
