from __future__ import annotations

import numpy as np
import pytest
import torch

from restore_cli.engine.channels import to_tensor
from restore_cli.errors import WeightsError
from restore_cli.jobs.bench.subjects import CORRECTION_RMS, count_gflop, picture, subject
from restore_cli.weights import catalog
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import load_model, save_model


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The user's folder of imported models."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "restore" / "weights"
    folder.mkdir(parents=True)
    return folder


def card(architecture, **config):
    facts = {"name": "x", "task": "deblur", "summary": "", "licence": "none"}
    return ModelCard(architecture=architecture, config=config, **facts)


def test_no_name_is_the_default_model(tmp_path):
    found = subject(None, tmp_path)
    assert found.name == catalog.default_for("deblur").name
    assert not found.is_random
    assert not list(tmp_path.iterdir())


def test_a_file_is_itself(narrow_model_file, tmp_path):
    found = subject(str(narrow_model_file), tmp_path)
    network, stored = load_model(narrow_model_file)
    assert (found.name, found.path, found.card) == ("narrow", narrow_model_file, stored)
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_a_published_size_gets_the_same_random_weights_each_time(cache, tmp_path):
    state = torch.random.get_rng_state()
    found = [subject("Mimo_UNet", folder) for folder in (tmp_path, cache)]
    assert found[0].card.sha256 == found[1].card.sha256
    assert found[0].is_random
    assert found[0].parameters == 6_807_171
    assert torch.equal(torch.random.get_rng_state(), state)
    network, _ = load_model(found[0].path)
    image = to_tensor(picture(64, 64))
    rms = (network.restore(image) - image).square().mean().sqrt().item()
    assert rms == pytest.approx(CORRECTION_RMS, rel=1e-3)


def test_models_go_before_published_sizes_and_those_before_short_names(
    cache, narrow_model_file, tmp_path
):
    assert subject("mimo", tmp_path).name == "mimo-unet-deblur"
    assert subject("pss", tmp_path).name == "pss-nsc"  # an alias that no model has
    network, stored = load_model(narrow_model_file)
    save_model(cache / "pss-nsc.safetensors", network, stored)
    assert subject("pss-nsc", tmp_path).name == "narrow"


def test_errors(cache, tmp_path):
    with pytest.raises(WeightsError, match="no model is called 'nope'"):
        subject("nope", tmp_path)
    with pytest.raises(WeightsError, match="no such weights file"):
        subject(str(tmp_path / "gone.safetensors"), tmp_path)


def test_picture():
    pixels = picture(30, 20)
    assert (pixels.shape, pixels.dtype) == ((20, 30, 3), np.float32)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert pixels.std() > 0.1
    np.testing.assert_array_equal(pixels, picture(30, 20))


def test_two_operations_for_each_multiplication():
    features, depth, width, height = 8, 4, 10, 6
    weights = 9 * (3 * features + (depth - 2) * features**2 + features * 3)
    made = card("diffresnet", features=features, depth=depth, channels=3)
    assert count_gflop(made, width, height) == pytest.approx(2 * weights * width * height / 1e9)


def test_arithmetic_is_that_of_the_padded_picture():
    made = card("mimo-unet", width=4, blocks=1)
    assert count_gflop(made, 13, 9) == count_gflop(made, 16, 12)
