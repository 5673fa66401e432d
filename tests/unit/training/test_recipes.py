from __future__ import annotations

import dataclasses

import pytest
import torch

from restore_cli.data.loaders import Phase
from restore_cli.errors import UsageError
from restore_cli.training.config import ValidationConfig, load_recipe, recipe_names
from restore_cli.training.options import TrainOptions
from restore_cli.training.run import CHECKPOINT, start_run
from restore_cli.training.trainer import train

CPU = TrainOptions(device="cpu")

# Narrow, but with enough units behind each ReLU that a few are alive.
NARROW = {
    "mimo-unet": {"width": 16, "blocks": 1},
    "mprnet": {
        "features": 16,
        "unet_growth": 4,
        "orsnet_growth": 2,
        "blocks_per_group": 1,
        "reduction": 1,
    },
    "mprnet-local": {"features": 16, "unet_growth": 4},
    "mirnet": {"features": 32, "groups": 1, "blocks_per_group": 1},
    "pss-nsc": {"width": 4, "units": 2},
    "formresnet": {"features": 6, "depth": 3},
    "diffresnet": {"features": 6, "depth": 3},
}
NEED_PAIRS = {"mirnet-upscale"}


def narrow(name, vgg_file, **changes):
    config = load_recipe(name, {"loss.vgg": str(vgg_file), "critic.width": 4})
    values = {
        "config": NARROW[config.architecture],
        "phases": (Phase(1.0, 32, 2),),
        "degradation": config.degradation,
        "schedule": dataclasses.replace(config.schedule, steps=2),
        "validation": ValidationConfig(every=100, share=0.3, side=32),
        **changes,
    }
    return dataclasses.replace(config, **values)


def parameters(network):
    return {name: value.clone() for name, value in network.named_parameters()}


@pytest.mark.parametrize("name", recipe_names())
def test_two_steps_move_every_parameter(name, photos, pairs, tmp_path, vgg_file):
    config = narrow(name, vgg_file)
    torch.manual_seed(config.seed)
    before = parameters(start_run(config, tmp_path / "fresh", "cpu", {}).network)
    report = train(config, pairs if name in NEED_PAIRS else photos, tmp_path / "run", CPU)
    after = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["network"]  # noqa: TID251
    still = [key for key, value in before.items() if torch.equal(value, after[key])]
    assert report.step == 2
    assert still == []
    assert all(value.isfinite().all() for value in after.values())


@pytest.mark.parametrize("name", sorted(NEED_PAIRS))
def test_recipes_without_a_degradation_need_pairs(name, photos, tmp_path, vgg_file):
    with pytest.raises(UsageError, match=f"recipe {name} needs pairs") as caught:
        train(narrow(name, vgg_file), photos, tmp_path / "run", CPU)
    assert "\n" not in str(caught.value)


def test_initial_weights_of_pss_nsc(tmp_path, vgg_file):
    config = narrow("pss-nsc", vgg_file, config={"width": 16})
    network = start_run(config, tmp_path / "run", "cpu", {}).network
    weights = torch.cat([p.flatten() for n, p in network.named_parameters() if "weight" in n])
    biases = torch.cat([p.flatten() for n, p in network.named_parameters() if "bias" in n])
    assert weights.abs().max() <= 0.1
    # A normal distribution cut off at two deviations has 0.880 of the deviation.
    assert weights.std().item() == pytest.approx(0.880 * 0.05, rel=0.01)
    assert not biases.any()
