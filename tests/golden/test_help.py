"""The printed help of every command, so that a changed option shows in review."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from restore_cli.cli import app as module

STORED = Path(__file__).parent / "help"


def commands(command, names=()):
    """Return the words of every command, groups before their members."""
    found = [names]
    for name, member in sorted(getattr(command, "commands", {}).items()):
        found += commands(member, (*names, name))
    return found


COMMANDS = commands(typer.main.get_command(module.app))


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: "-".join(words) or "restore")
def test_help(words, update_golden, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    assert module.run([*words, "--help"]) == 0
    printed = capsys.readouterr().out
    stored = STORED / f"{'-'.join(['restore', *words])}.txt"
    if update_golden:
        stored.write_text(printed, encoding="utf-8")
    assert stored.exists(), f"no {stored.name}; run with --update-golden"
    assert printed == stored.read_text(encoding="utf-8")


def test_nothing_is_stored_of_commands_that_are_gone():
    names = {"-".join(["restore", *words]) for words in COMMANDS}
    assert {path.stem for path in STORED.glob("*.txt")} == names


@pytest.mark.parametrize("words", [words for words in COMMANDS if words])
def test_help_has_examples_and_fits(words):
    text = (STORED / f"{'-'.join(['restore', *words])}.txt").read_text(encoding="utf-8")
    assert "Commands:" in text or "Examples:\n" in text
    assert max(map(len, text.splitlines())) <= 100
