from __future__ import annotations

import pytest

from restore_cli.data.loaders import Phase
from restore_cli.data.mixing import MixUp
from restore_cli.degradations.blur_chain import BlurChain
from restore_cli.degradations.dark_chain import DarkChain
from restore_cli.degradations.noise_chain import NoiseChain
from restore_cli.degradations.rain_chain import RainChain
from restore_cli.errors import UsageError
from restore_cli.training.config import TERMS, load_recipe, recipe_for, recipe_names

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
    assert (config.schedule.epochs, config.schedule.milestone) == (3000, 500)


@pytest.mark.parametrize(
    ("name", "patch", "batch", "loss"),
    [
        ("mprnet", 256, 16, {"charbonnier": 1.0, "edge": 0.05}),
        ("mprnet-derain", 256, 16, {"charbonnier": 1.0, "edge": 0.05}),
        ("mprnet-denoise", 128, 16, {"charbonnier": 1.0}),
        ("mirnet-denoise", 128, 16, {"charbonnier": 1.0}),
        ("pss-nsc", 256, 16, {"mse": 1.0}),
        ("formresnet", 40, 32, {"mse": 0.4, "feature": 0.3, "gradient": 0.3}),
        ("diffresnet", 40, 32, {"mse": 1.0}),
    ],
)
def test_published_batches_and_losses(name, patch, batch, loss):
    config = load_recipe(name)
    assert config.phases == (Phase(1.0, patch, batch),)
    assert {
        term: getattr(config.loss, term) for term in TERMS if getattr(config.loss, term)
    } == loss
    assert config.loss.is_clamped == (name in {"mprnet-denoise", "mirnet-denoise"})
    assert config.is_grey == (name in {"pss-nsc", "formresnet", "diffresnet"})


def test_published_mix_up():
    assert load_recipe("mprnet-denoise").mixup == MixUp(alpha=0.6, from_epoch=6)
    assert load_recipe("mirnet-denoise").mixup == MixUp(alpha=1.2, from_epoch=6)


def test_the_task_chooses_the_degradation(tmp_path):
    assert isinstance(load_recipe("mprnet").degradation, BlurChain)
    assert isinstance(load_recipe("mprnet-denoise").degradation, NoiseChain)
    assert isinstance(load_recipe("mprnet-derain").degradation, RainChain)
    assert isinstance(load_recipe("mirnet-enhance").degradation, DarkChain)
    assert load_recipe("mirnet-upscale").degradation is None
    text = MINIMAL.replace("deblur", "denoise") + "[degradation]\nsigmas_8bit = [15, 25]\n"
    degradation = load_recipe(recipe(tmp_path, text)).degradation
    assert degradation == NoiseChain(sigmas_8bit=(15.0, 25.0))


def test_networks_have_recipes_by_their_usual_names():
    names = {name: recipe_for(name) for name in ("mimo", "MPRNet_deblur", "mirnet", "pss")}
    assert names == {
        "mimo": "mimo-unet",
        "MPRNet_deblur": "mprnet",
        "mirnet": "mirnet-denoise",
        "pss": "pss-nsc",
    }


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
        ("[loss]\nbalance = 0.1\n", "every loss weight is 0; there is content"),
        ("[loss]\nmse = 1\nbalance = 0.1\n", "balance goes with"),
        ("[degradation]\nsigmas_8bit = [1]\n", r"unknown key degradation\.sigmas_8bit"),
        ("[mixup]\nalpha = 1\nfrom_epoch = 6\n", "needs a schedule in epochs"),
        ("precision = 'fp16'\n[loss]\nadversarial = 1\n", "precision no or bf16"),
        (
            "phases = [{ until = 0.5, patch = 32, batch = 4 },"
            " { until = 1.0, patch = 32, batch = 2 }]"
            "\n[schedule]\nepochs = 3\n",
            "same batch in every phase",
        ),
        ("= 3\n", "not valid TOML"),
    ],
)
def test_errors(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load_recipe(recipe(tmp_path, MINIMAL + text))


def test_other_tasks_have_no_degradation(tmp_path):
    text = MINIMAL.replace("deblur", "upscale") + "[degradation]\nframes = 9\n"
    with pytest.raises(UsageError, match="other tasks need pairs"):
        load_recipe(recipe(tmp_path, text))


def test_unknown_recipe():
    with pytest.raises(UsageError, match="no recipe 'mimos'"):
        load_recipe("mimos")
