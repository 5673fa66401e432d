from __future__ import annotations

import pytest

from models import ARCHITECTURES, create_model, pss_nsc
from models.pooling import set_pooling
from models.registry import make_config
from tests.unit.models.reach import extent

MPRNET = {
    "features": 1,
    "unet_growth": 0,
    "orsnet_growth": 0,
    "blocks_per_group": 1,
    "reduction": 1,
}

MIRNET = {"features": 8, "groups": 1, "blocks_per_group": 1}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mimo-unet", {"width": 4, "blocks": 1}),
        ("mimo-unet", {"width": 4, "blocks": 2}),
        ("mimo-unet", {"width": 4, "blocks": [1, 2, 3]}),
        ("mprnet-local", {"features": 2, "unet_growth": 1}),
        ("mprnet-local", {"features": 2, "unet_growth": 0, "blocks_per_group": 2}),
        ("diffresnet", {"features": 2, "depth": 3}),
        ("formresnet", {"features": 2, "depth": 3, "stages": 3, "channels": 3}),
    ],
)
def test_the_halo_is_the_extent_of_what_is_reached(name, values):
    architecture = ARCHITECTURES[name]
    halo = architecture.halo(make_config(name, values))
    reached = extent(create_model(name, values), halo + 12, architecture.multiple_of)
    assert reached <= halo <= reached + 8


@pytest.mark.parametrize(("units", "repeats"), [(1, 1), (2, 1), (4, 2)])
def test_the_halo_of_pss_nsc_holds_what_is_reached(units, repeats):
    # What is between the blocks reaches 74 or 80 pixels, as blocks and steps of 16 fall together.
    values = {"width": 1, "units": units, "repeats": repeats}
    halo = pss_nsc.halo(pss_nsc.PSSNSCConfig(**values))
    reached = extent(create_model("pss-nsc", values), halo + 4, multiple_of=16, breadth=16)
    assert reached <= halo <= reached + 10


@pytest.mark.parametrize("window", [4, 12])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mprnet", MPRNET),
        ("mirnet", MIRNET),
        ("mirnet", {**MIRNET, "height": 2, "width": 3}),
    ],
)
def test_the_local_halo_is_the_extent_of_what_is_reached(name, values, window):
    architecture = ARCHITECTURES[name]
    config = make_config(name, values)
    assert architecture.halo(config) is None
    halo = architecture.local_halo(config, window)
    model = create_model(name, values)
    set_pooling(model, window)
    reached = extent(model, halo + 12, architecture.multiple_of)
    assert reached <= halo <= reached + 8
