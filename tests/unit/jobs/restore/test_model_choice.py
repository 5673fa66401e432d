from __future__ import annotations

from dataclasses import replace

import pytest

from restore_cli.errors import WeightsError
from restore_cli.jobs.restore.model_choice import choose_model, task_note
from restore_cli.weights import catalog
from restore_cli.weights.files import load_model, save_model
from restore_cli.weights.header import read_card


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Nothing is bundled; the user's folder of imported models."""
    folder = tmp_path / "restore" / "weights"
    folder.mkdir(parents=True)
    (tmp_path / "bundled").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path / "bundled")
    return folder


def test_without_a_name_the_best_bundled_model_is_taken(narrow_model_file):
    (catalog.BUNDLED / "narrow.safetensors").write_bytes(narrow_model_file.read_bytes())
    name, card = choose_model("deblur", None)
    assert (name, card.task) == ("narrow", "deblur")


def test_a_task_without_a_model_says_what_to_do():
    with pytest.raises(WeightsError) as caught:
        choose_model("derain", None)
    assert str(caught.value) == (
        "no model for derain comes with this program (get one with restore weights import FILE"
        " or restore train, then name it with --model)"
    )


def test_imported_models_for_the_task_are_named(cache, narrow_model_file):
    (cache / "mine.safetensors").write_bytes(narrow_model_file.read_bytes())
    (cache / "bad.safetensors").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"you imported one: --model mine\)"):
        choose_model("deblur", None)
    with pytest.raises(WeightsError, match="restore weights import"):
        choose_model("derain", None)


@pytest.mark.parametrize("name", ["mine-too", "MINE_TOO", "mine_too"])
def test_names_take_dashes_and_underscores(cache, narrow_model_file, name):
    (cache / "mine-too.safetensors").write_bytes(narrow_model_file.read_bytes())
    assert choose_model("upscale", name)[1].name == "narrow"


@pytest.mark.parametrize("name", ["mimo_unet", "Narrow", "MIMO-UNet"])
def test_bundled_models_have_aliases(narrow_model_file, name):
    (catalog.BUNDLED / "narrow.safetensors").write_bytes(narrow_model_file.read_bytes())
    assert choose_model("enhance", name)[1].architecture == "mimo-unet"


def test_a_short_name_means_the_model_for_the_task(narrow_model_file):
    for name, task in (("narrow-a", "deblur"), ("narrow-b", "denoise")):
        network, card = load_model(narrow_model_file)
        card = replace(card, name=name, task=task)
        save_model(catalog.BUNDLED / f"{name}.safetensors", network, card)
    assert choose_model("denoise", "narrow")[0] == choose_model("denoise", "mimo_unet")[0]
    assert [choose_model(task, "narrow")[0] for task in ("deblur", "denoise", "derain")] == [
        "narrow-a",
        "narrow-b",
        "narrow-a",
    ]


def test_a_model_for_another_task_gets_a_note(narrow_model_file):
    card = read_card(narrow_model_file)
    assert task_note(card, "deblur") == ()
    assert task_note(card, "enhance") == ("this model is for deblur, not enhance",)
    assert task_note(replace(card, task="unknown"), "enhance") == ()
