from __future__ import annotations

import json
from dataclasses import replace

import pytest

from models import create_model
from restore_cli.cli import app as module
from restore_cli.weights.card import ModelCard, Score
from restore_cli.weights.files import save_model

SCORE = Score(
    dataset="GoPro test",
    measured="RGB, whole images, fp32",
    psnr_in_db=25.64,
    psnr_out_db=32.45,
    ssim_in=0.79,
    ssim_out=0.957,
    pictures=1111,
)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The user's folder of imported models, and a function that puts one there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "restore" / "weights"
    folder.mkdir(parents=True)

    def put(name, **changes):
        card = ModelCard(
            name=name,
            architecture="mprnet",
            config={"features": 8, "unet_growth": 4, "orsnet_growth": 4, "blocks_per_group": 1},
            task="derain",
            summary="for tests",
            licence="non-commercial",
        )
        card = replace(card, **changes)
        path = folder / f"{name}.safetensors"
        save_model(path, create_model("mprnet", card.config), card)
        return path

    put.folder = folder
    return put


def shown(capsys):
    """Return the rows printed, by their first cell."""
    lines = capsys.readouterr().out.splitlines()
    return {cells[0]: cells[1:] for cells in (line.split("\t") for line in lines)}


def test_show_prints_the_card_of_a_file(narrow_model_file, capsys):
    assert module.run(["models", "show", str(narrow_model_file)]) == 0
    rows = shown(capsys)
    assert rows["name"] == ["narrow"]
    assert rows["network"] == ["mimo-unet"]
    assert rows["config"][0].startswith("width 4, blocks 1")
    assert rows["sizes"] == ["any; padded to multiples of 4"]
    assert rows["context"][0].endswith(" pixels around each")
    assert rows["scores"] == ["not measured"]
    assert rows["licence"] == ["Apache-2.0"]
    assert "pooling" not in rows


def test_show_tells_what_tiles_see(cache, capsys):
    assert module.run(["models", "show", "mprnet-local-deblur"]) == 0
    assert shown(capsys)["context"][0].endswith("; tiles see 96, more made no difference")


def test_show_tells_where_means_are_taken(cache, capsys):
    cache("mprnet-derain", scores=(SCORE,))
    assert module.run(["models", "show", "MPRNet_derain"]) == 0
    rows = shown(capsys)
    assert rows["context"][0].endswith(" pixels around each; with --pooling global the whole image")
    assert rows["pooling"] == ["local: means over windows of 256 pixels, as it was trained on"]
    assert rows["dataset"] == ["pictures", "PSNR in -> out", "SSIM in -> out", "measured"]
    assert rows["GoPro test"] == [
        "1111",
        "25.64 -> 32.45 dB",
        "0.7900 -> 0.9570",
        "RGB, whole images, fp32",
    ]


def test_parameters_are_counted(cache, capsys):
    path = cache("mprnet-derain")
    module.run(["models", "show", str(path), "--json"])
    config = {"features": 8, "unet_growth": 4, "orsnet_growth": 4, "blocks_per_group": 1}
    expected = sum(p.numel() for p in create_model("mprnet", config).parameters())
    assert json.loads(capsys.readouterr().out)["parameters"] == expected


def test_show_as_json(narrow_model_file, capsys):
    assert module.run(["models", "show", str(narrow_model_file), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["architecture"] == "mimo-unet"
    assert card["file"] == str(narrow_model_file)
    assert len(card["sha256"]) == 64
    assert card["engine"]["multiple_of"] == 4
    assert card["engine"]["window"] is None


def test_a_network_unknown_here_is_shown_as_far_as_possible(narrow_model_file, tmp_path, capsys):
    data = narrow_model_file.read_bytes().replace(b"mimo-unet", b"mimo-next")
    (tmp_path / "a.safetensors").write_bytes(data)
    assert module.run(["models", "show", str(tmp_path / "a.safetensors")]) == 0
    out, err = capsys.readouterr()
    assert "network\tmimo-next" in out
    assert err.startswith("note: narrow has a network unknown here: mimo-next")


def test_list_names_cached_models_too(cache, capsys):
    path = cache("imported")
    assert module.run(["models", "list", "--json"]) == 0
    models = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert models["imported"]["file"] == str(path)
    assert models["imported"]["scores"] == []
    assert module.run(["models", "list"]) == 0
    row = ["derain", "mprnet", "0.1 M", "not measured", "", "non-commercial"]
    assert shown(capsys)["imported"] == row


def test_list_shows_the_first_score(cache, capsys):
    cache("imported", scores=(SCORE,))
    module.run(["models", "list"])
    assert shown(capsys)["imported"][3:5] == ["25.64 -> 32.45 dB", "GoPro test (1111)"]


def test_a_damaged_cached_model_does_not_hide_the_others(cache, capsys):
    cache("imported")
    (cache.folder / "bad.safetensors").write_bytes(b"x")
    assert module.run(["models", "list"]) == 0
    out, err = capsys.readouterr()
    assert "\nimported\t" in out
    assert "bad.safetensors: is not a safetensors file" in err


def test_unknown_models_exit_with_4(capsys):
    assert module.run(["models", "show", "nope"]) == 4
    assert "no model is called 'nope'" in capsys.readouterr().err
