"""What every test shares: seeds, a narrow model in a file, golden texts."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the stored results instead of comparing",
    )


def pytest_configure(config):
    if hasattr(config, "workerinput"):  # one of several processes (-n): each has a core to itself
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def update_golden(request):
    return request.config.getoption("--update-golden")


@pytest.fixture(autouse=True)
def _seeded():
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - for libraries that draw from the global state
    torch.manual_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def shared():
    if not SHARED.is_dir():
        pytest.skip("the folder of reference data is not here")
    return SHARED


@pytest.fixture(scope="session")
def narrow_model_file(tmp_path_factory):
    """A MIMO-UNet of a tenth of the width whose corrections are small, as a trained one's are."""
    import torch

    from models import create_model
    from restore_cli.weights.card import ModelCard
    from restore_cli.weights.files import save_model

    config = {"width": 4, "blocks": 1}
    torch.manual_seed(0)
    model = create_model("mimo-unet", config)
    for layer in model.output_layers():
        for parameter in layer.parameters():
            parameter.data *= 0.1
    card = ModelCard(
        name="narrow",
        architecture="mimo-unet",
        config=config,
        task="deblur",
        summary="seeded, untrained, for tests",
        licence="Apache-2.0",
        version="0",
    )
    path = tmp_path_factory.mktemp("models") / "narrow.safetensors"
    save_model(path, model, card)
    return path
