import pytest
import torch
from torch import nn

from models import RestorationModel, create_model
from models.mprnet_local import LocalMPRNetConfig
from models.registry import config_values
from restore_cli.weights.card import ModelCard


def make_card(**changes):
    values = {
        "name": "narrow",
        "architecture": "mimo-unet",
        "config": {"width": 8, "blocks": 1},
        "task": "deblur",
        "summary": "seeded, untrained",
        "licence": "Apache-2.0",
    }
    return ModelCard(**{**values, **changes})


@pytest.fixture(scope="session")
def narrow():
    """A network whose every path carries signal to the output; its card."""
    torch.manual_seed(1)
    card = make_card()
    model = create_model(card.architecture, card.config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter)
    for layer in model.output_layers():
        layer.weight.data *= 0.1
    return model.eval().requires_grad_(False), card


@pytest.fixture(scope="session")
def scales():
    """Return a network that restores an image at so many scales, and its card."""

    def make(count):
        torch.manual_seed(1)
        config = config_values(LocalMPRNetConfig(8, 4, scales=count))
        model = create_model("mprnet-local", config)
        card = make_card(architecture="mprnet-local", config=config)
        return model.eval().requires_grad_(False), card

    return make


@pytest.fixture(scope="session")
def two_scales(scales):
    return scales(2)


class Pointwise(RestorationModel):
    """A stand-in network: one function of the image."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return (self.function(x),)


@pytest.fixture
def pointwise():
    """Return a model, with its card, that applies a function."""
    return lambda function, **changes: (Pointwise(function), make_card(**changes))
