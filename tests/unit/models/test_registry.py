from __future__ import annotations

import pytest

from models.registry import (
    ALIASES,
    ARCHITECTURES,
    PRESETS,
    config_values,
    create_model,
    make_config,
    preset,
    size_rule,
)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_belong_to_an_architecture(name):
    architecture, config = PRESETS[name]
    assert isinstance(config, ARCHITECTURES[architecture].config)
    assert make_config(architecture, config_values(config)) == config


@pytest.mark.parametrize(
    ("typed", "name"),
    [("mimo", "mimo-unet"), ("MIMO_UNet_Plus", "mimo-unet-plus"), ("mimo-plus", "mimo-unet-plus")],
)
def test_names_are_forgiving(typed, name):
    assert preset(typed) == PRESETS[name]


def test_aliases_lead_somewhere():
    assert set(ALIASES.values()) <= set(PRESETS)


def test_errors():
    with pytest.raises(KeyError, match="mimo-unet"):
        create_model("mimo-unett")
    with pytest.raises(KeyError, match="mimo"):
        preset("mimoo")
    with pytest.raises(ValueError, match="no setting 'depth'"):
        create_model("mimo-unet", {"depth": 3})


@pytest.mark.parametrize(("scales", "multiple"), [(1, 8), (2, 16), (3, 32)])
def test_the_coarsest_scale_keeps_the_size_rule(scales, multiple):
    assert size_rule("mprnet-local", {"scales": scales}) == multiple


def test_the_size_rule_of_a_network_without_scales():
    assert size_rule("mimo-unet", {}) == 4
