from __future__ import annotations

import json

from restore_cli.cli import app as module


def test_show_prints_the_card_of_a_file(narrow_model_file, capsys):
    assert module.run(["models", "show", str(narrow_model_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "name\tnarrow" in lines
    assert "licence\tApache-2.0" in lines


def test_show_as_json(narrow_model_file, capsys):
    assert module.run(["models", "show", str(narrow_model_file), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["architecture"] == "mimo-unet"
    assert card["file"] == str(narrow_model_file)
    assert len(card["sha256"]) == 64


def test_list_names_cached_models_too(narrow_model_file, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "restore" / "weights"
    cache.mkdir(parents=True)
    (cache / "narrow.safetensors").write_bytes(narrow_model_file.read_bytes())
    assert module.run(["models", "list", "--json"]) == 0
    names = [card["name"] for card in json.loads(capsys.readouterr().out)["models"]]
    assert "narrow" in names
    assert module.run(["models", "list"]) == 0
    assert "narrow\tdeblur\tnot measured\t\tApache-2.0" in capsys.readouterr().out


def test_unknown_models_exit_with_4(capsys):
    assert module.run(["models", "show", "nope"]) == 4
    assert "no model is called 'nope'" in capsys.readouterr().err
