import pytest

from models.registry import ARCHITECTURES, make_config
from restore_cli.engine.backends.pytorch.tile_memory import (
    UNMEASURED_BYTES_PER_PIXEL,
    bytes_per_pixel,
)

WIDTHS = {"mimo-unet": "width", "pss-nsc": "width"}


@pytest.fixture
def with_huge_pages(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")


@pytest.mark.usefixtures("with_huge_pages")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_bytes_per_pixel_grow_with_the_width(architecture):
    name = WIDTHS.get(architecture, "features")
    wide, narrow = (make_config(architecture, {name: width}) for width in (64, 16))
    assert 2 < bytes_per_pixel(architecture, wide) / bytes_per_pixel(architecture, narrow) <= 4


@pytest.mark.usefixtures("with_huge_pages")
@pytest.mark.parametrize("architecture", ["mprnet-local", "mimo-unet", "mprnet", "mirnet"])
def test_bytes_per_pixel_in_bf16(architecture):
    config = make_config(architecture, {})
    full, half = (bytes_per_pixel(architecture, config, name) for name in ("fp32", "bf16"))
    assert half == round(full / 2)


@pytest.mark.usefixtures("with_huge_pages")
def test_freed_memory_that_is_left_counts(monkeypatch):
    config = make_config("mimo-unet", {})
    least = bytes_per_pixel("mimo-unet", config)
    monkeypatch.delenv("GLIBC_TUNABLES")
    assert bytes_per_pixel("mimo-unet", config) == round(1.7 * least)


def test_bytes_per_pixel_of_what_was_not_measured():
    assert bytes_per_pixel("unheard-of", None) == UNMEASURED_BYTES_PER_PIXEL
