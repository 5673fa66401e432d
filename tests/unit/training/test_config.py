from __future__ import annotations

import pytest

from restore_cli.data.loaders import Phase
from restore_cli.errors import UsageError
from restore_cli.training.config import load_recipe, recipe_names

MINIMAL = 'name = "x"\ntask = "deblur"\narchitecture = "mimo-unet"\n'


def recipe(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_come_with_the_program_are_valid(name):
    config = load_recipe(name)
    assert config.name == name
    assert config.model_values()


def test_published_values():
    config = load_recipe("mimo-unet-plus")
    assert config.model_values() == {"width": 32, "blocks": 20, "dropout": 0.1}
    assert config.optimizer.lr == 1e-4
    assert config.phases == (Phase(1.0, 256, 4),)
    # 3000 epochs of 2103 pairs in batches of 4, halved every 500 epochs.
    epoch = -(-2103 // 4)
    assert (config.schedule.steps, config.schedule.milestone) == (3000 * epoch, 500 * epoch)


def test_overrides_win(tmp_path):
    path = recipe(tmp_path, MINIMAL + "[schedule]\nsteps = 10\n")
    config = load_recipe(path, {"schedule.steps": 20, "optimizer.lr": 1})
    assert config.schedule.steps == 20
    assert config.optimizer.lr == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spam = 1\n", "unknown key spam"),
        ("[optimizer]\nlearning_rate = 1\n", r"unknown key optimizer\.learning_rate"),
        ("[optimizer]\nlr = 'high'\n", r"optimizer\.lr is 'high'"),
        ("[optimizer]\nbetas = [0.9]\n", r"optimizer\.betas needs 2 values"),
        ("start_from_identity = 1\n", "start_from_identity is 1, not of type bool"),
        ("config = { depth = 3 }\n", "no setting 'depth'"),
        ("phases = [{ until = 1.0, patch = 100, batch = 4 }]\n", "patch 100"),
        ("[schedule]\nkind = 'zigzag'\n", "zigzag"),
        ("= 3\n", "not valid TOML"),
    ],
)
def test_errors(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load_recipe(recipe(tmp_path, MINIMAL + text))


def test_unknown_recipe():
    with pytest.raises(UsageError, match="no recipe 'mimos'"):
        load_recipe("mimos")
