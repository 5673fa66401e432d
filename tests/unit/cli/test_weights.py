from __future__ import annotations

import hashlib
import json

import pytest
import torch

from models import create_model
from restore_cli.cli import app as module
from restore_cli.weights.header import read_card
from tests.unit.weights.server import served


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("RESTORE_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache/restore/weights"


@pytest.fixture
def published(narrow_model_file, tmp_path, capsys):
    """A checkpoint as the authors of MIMO-UNet write them, of a narrow network."""
    path = tmp_path / "MIMO-UNet.pkl"
    assert (
        module.run(["weights", "export", "--official", str(narrow_model_file), "-o", str(path)])
        == 0
    )
    capsys.readouterr()
    return path


def test_import_says_where_it_is_and_under_which_terms(published, cache, capsys):
    assert module.run(["weights", "import", str(published)]) == 0
    printed = capsys.readouterr()
    target = cache / "mimo-unet-imported.safetensors"
    assert printed.out == f"{target}\n"
    assert "all rights reserved" in printed.err
    assert "--model mimo-unet-imported" in printed.err
    card = read_card(target)
    assert card.training["imported_from"] == "MIMO-UNet.pkl"
    assert card.training["imported_sha256"] == hashlib.sha256(published.read_bytes()).hexdigest()
    assert "all rights reserved" in card.licence


def test_import_as_json(published, tmp_path, capsys):
    target = tmp_path / "x.safetensors"
    arguments = ["import", str(published), "-o", str(target), "--task", "derain", "--json", "-q"]
    assert module.run(["weights", *arguments]) == 0
    printed = capsys.readouterr()
    values = json.loads(printed.out)
    assert printed.err == ""
    assert values["path"] == str(target)
    assert values["task"] == "derain"
    assert values["config"]["width"] == 4
    assert values["sha256"] == read_card(target).sha256


def test_the_same_file_again_is_fine_and_another_is_not(published, tmp_path, capsys):
    again = ["weights", "import", str(published), "--name", "Mine_1"]
    assert module.run(again) == module.run(again) == 0
    model = create_model("mimo-unet", {"width": 4, "blocks": 1})
    from restore_cli.weights.keymaps.keymap import to_published
    from restore_cli.weights.keymaps.mimo_unet import KEYMAP

    other = tmp_path / "other.pkl"
    torch.save({"model": to_published(model.state_dict(), KEYMAP)}, other)
    arguments = ["weights", "import", str(other), "--name", "mine-1"]
    capsys.readouterr()
    assert module.run(arguments) == 2
    assert "another model called mine-1 (choose another --name" in capsys.readouterr().err
    assert module.run([*arguments, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "a/b"], "letters, digits and dashes"),
        (["-o", "x.pth"], "does not end in .safetensors"),
        (["--task", "sharpen"], "sharpen"),
    ],
)
def test_import_usage_errors(published, arguments, message, capsys):
    assert module.run(["weights", "import", str(published), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_bad_files_exit_with_4_and_one_line(tmp_path, capsys):
    path = tmp_path / "x.pkl"
    path.write_bytes(b"")
    assert module.run(["weights", "import", str(path), "--json"]) == 4
    printed = capsys.readouterr()
    assert printed.err == f"error: {path}: is empty (get the file again)\n"
    assert json.loads(printed.out)["exit_code"] == 4


def test_export_wants_its_layout_named(narrow_model_file, capsys):
    assert module.run(["weights", "export", str(narrow_model_file), "-o", "x.pkl"]) == 2
    assert "--official" in capsys.readouterr().err


def test_fetch(narrow_model_file, published, cache, capsys, monkeypatch):
    content = narrow_model_file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    with served(content) as site:
        url = f"{site.url}/night.safetensors"
        assert module.run(["weights", "fetch", url, "--sha256", digest]) == 0
        printed = capsys.readouterr()
        assert printed.out == f"{cache / 'night.safetensors'}\n"
        assert "use it with --model night" in printed.err
        assert module.run(["weights", "path", "night"]) == 0
        assert capsys.readouterr().out == printed.out
        assert module.run(["weights", "fetch", url, "--sha256", "0" * 64]) == 4
        assert "nothing was kept" in capsys.readouterr().err
        monkeypatch.setenv("RESTORE_MIRROR", site.url)
        assert module.run(["weights", "fetch", "other", "--sha256", digest, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["path"].endswith("other.safetensors")
    monkeypatch.delenv("RESTORE_MIRROR")
    content = published.read_bytes()
    with served(content) as site:
        digest = hashlib.sha256(content).hexdigest()
        url = f"{site.url}/MIMO-UNet.pkl"
        assert module.run(["weights", "fetch", url, "--sha256", digest]) == 0
        printed = capsys.readouterr()
        assert f"next: restore weights import {printed.out.strip()}" in printed.err
        assert module.run(["weights", "import", printed.out.strip()]) == 0


def test_verify(narrow_model_file, cache, capsys):
    cache.mkdir(parents=True)
    content = narrow_model_file.read_bytes()
    (cache / "good.safetensors").write_bytes(content)
    assert module.run(["weights", "verify"]) == 0
    assert "good\tok\t" in capsys.readouterr().out
    (cache / "bad.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert module.run(["weights", "verify", "bad", str(narrow_model_file), "gone"]) == 4
    printed = capsys.readouterr()
    assert "bad\tfailed" in printed.out
    assert f"{narrow_model_file}\tok" in printed.out
    assert "bad.safetensors: has the wrong checksum" in printed.err
    assert "no model is called 'gone'" in printed.err
    assert module.run(["weights", "verify", "--json"]) == 4
    report = json.loads(capsys.readouterr().out)
    assert report["exit_code"] == 4
    assert len(report["errors"]) == 1


def test_list(narrow_model_file, cache, capsys):
    cache.mkdir(parents=True)
    (cache / "mine.safetensors").write_bytes(narrow_model_file.read_bytes())
    assert module.run(["weights", "list"]) == 0
    assert f"mine\tcached\t0.1\tApache-2.0\t{cache}" in capsys.readouterr().out
    assert module.run(["weights", "list", "--json"]) == 0
    (mine,) = [
        entry for entry in json.loads(capsys.readouterr().out)["weights"] if entry["name"] == "mine"
    ]
    assert mine["bytes"] == narrow_model_file.stat().st_size


def test_path_of_an_unknown_model(capsys):
    assert module.run(["weights", "path", "nope"]) == 4
    assert "no model is called 'nope'" in capsys.readouterr().err
