from __future__ import annotations

from dataclasses import replace

import pytest

from models.mimo_unet import MIMOUNetConfig
from models.mimo_unet import halo as mimo_halo
from restore_cli.errors import WeightsError
from restore_cli.jobs.model_facts import ModelFacts, facts_of
from restore_cli.weights.header import read_card


@pytest.fixture
def card(narrow_model_file):
    return read_card(narrow_model_file)


def test_values(card):
    assert facts_of(card) == ModelFacts(4, mimo_halo(MIMOUNetConfig(width=4, blocks=1)))


def test_networks_with_means_have_a_window(card):
    facts = facts_of(replace(card, architecture="mirnet", config={}))
    assert (facts.halo, facts.window) == (None, 128)
    assert facts.local_halo > 128


def test_errors(card):
    with pytest.raises(WeightsError, match="a network unknown here: other"):
        facts_of(replace(card, architecture="other"))
    with pytest.raises(WeightsError, match="sizes that do not fit: mimo-unet has no setting 'x'"):
        facts_of(replace(card, config={"x": 1}))
