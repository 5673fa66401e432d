import dataclasses
import subprocess
import sys

import pytest
import torch

from models import create_model
from restore_cli.errors import WeightsError
from restore_cli.weights import catalog
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import load_model, save_model
from restore_cli.weights.header import SUFFIX

MIMO = ModelCard("x", "mimo-unet", {"width": 4, "blocks": 1}, "deblur", "seeded", "Apache-2.0")
LOCAL = dataclasses.replace(MIMO, architecture="mprnet-local", config={"features": 4})
MODELS = {
    "night-deblur": MIMO,
    "mimo-unet-plus-deblur": MIMO,
    "mimo-unet-deblur": MIMO,
    "mprnet-local-deblur": LOCAL,
    "mprnet-wide-deblur": LOCAL,
    "mprnet-local-denoise": dataclasses.replace(LOCAL, task="denoise"),
}


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    torch.manual_seed(0)
    for name, card in MODELS.items():
        model = create_model(card.architecture, card.config)
        save_model(tmp_path / f"{name}{SUFFIX}", model, dataclasses.replace(card, name=name))
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mimo-unet-deblur", "mimo-unet-deblur"),
        ("MPRNet_Local_Denoise", "mprnet-local-denoise"),
        ("mimo", "mimo-unet-deblur"),
        ("mimo-unet", "mimo-unet-deblur"),
        ("mimo-plus", "mimo-unet-plus-deblur"),
        ("mimo_plus", "mimo-unet-plus-deblur"),
        ("denoise", "mprnet-local-denoise"),
        ("local-denoise", "mprnet-local-denoise"),
        ("mprnet-local", "mprnet-local-denoise"),  # default models come first
        ("mprnet-wide", "mprnet-wide-deblur"),
        ("night", "night-deblur"),
    ],
)
def test_a_name_means_a_model(bundled, name, expected):
    assert catalog.match(name, catalog.all_cards()).name == expected


def test_names_win_over_architectures(bundled):
    cards = tuple(card for card in catalog.all_cards() if card.task == "deblur")
    assert cards[0].architecture == "mprnet-local"
    assert catalog.match("mprnet-local", cards).name == "mprnet-local-deblur"


@pytest.mark.parametrize("name", ["mprnet", "mprnet-denoise"])
def test_published_networks_are_not_short_for_ours(bundled, name):
    assert catalog.match(name, catalog.all_cards()) is None


def test_near_names_are_suggested():
    names = list(MODELS)
    assert catalog.unknown("mimo-unet-debler", names).hint.startswith(
        "did you mean mimo-unet-deblur"
    )
    assert catalog.unknown("zzz", names).hint == f"there is {', '.join(names)}"


def test_each_task_has_its_default(bundled):
    assert catalog.default_for("deblur").name == "mprnet-wide-deblur"
    assert catalog.default_for("denoise").name == "mprnet-local-denoise"
    with pytest.raises(WeightsError, match="'derain'"):
        catalog.default_for("derain")


def test_defaults_come_first(bundled):
    names = [card.name for card in catalog.all_cards()]
    others = ["mimo-unet-deblur", "mimo-unet-plus-deblur", "mprnet-local-deblur", "night-deblur"]
    assert names == [*catalog.DEFAULTS.values(), *others]


def test_a_damaged_file_is_an_error(bundled):
    (bundled / f"broken{SUFFIX}").write_bytes(b"x")
    with pytest.raises(WeightsError, match="broken"):
        catalog.all_cards()


def test_what_is_bundled_loads_under_its_own_name():
    for path in catalog.BUNDLED.glob(f"*{SUFFIX}"):
        _, card = load_model(path)
        assert card.name == path.stem == catalog.plain(card.name)
        assert card.scores, "a bundled model has measured scores"
        assert card.licence


def test_torch_is_not_imported():
    code = (
        "import sys, restore_cli.weights.store, restore_cli.weights.catalog as c; "
        "c.all_cards(); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
