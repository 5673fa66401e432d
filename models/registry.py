"""The architectures: how to build each one, and what the engine must know to run it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from models import formresnet, mimo_unet, mirnet, mprnet, mprnet_local, pss_nsc
from models.base import RestorationModel


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build one network and what the engine must know to run it.

    ``Any`` stands for the network's own config class, which differs from row to row.
    """

    build: Callable[[Any], RestorationModel]
    config: type[Any]
    multiple_of: int  # height and width at the coarsest scale are multiples of this
    halo: Callable[[Any], int | None]
    """Config → pixels of context an output pixel needs on each side, at each scale; None: the whole
    image, as where channel attention takes its means over everything. No tile then equals it."""
    stage_scales: tuple[float, ...]  # size of each image that forward returns, relative to x
    local_halo: Callable[[Any, int], int] | None = None
    """Config, window → the context needed after ``models.pooling.set_pooling(model, window)``;
    None where there is nothing to set, and ``halo`` holds. The bound is far above what matters:
    most of it is reached through means over hundreds of pixels, one in another."""
    scales: Callable[[Any], int] = lambda config: 1
    """Config → how many sizes of an image it restores one after another, see
    ``models.coarse_to_fine``."""
    patch: int | None = None
    """Side of the patches that the published networks were trained on, a good window for local
    means; None where there are none."""


ARCHITECTURES: dict[str, Architecture] = {
    "mimo-unet": Architecture(
        build=mimo_unet.MIMOUNet,
        config=mimo_unet.MIMOUNetConfig,
        multiple_of=4,
        halo=mimo_unet.halo,
        stage_scales=(1.0, 0.5, 0.25),
    ),
    "mprnet": Architecture(
        build=mprnet.MPRNet,
        config=mprnet.MPRNetConfig,
        multiple_of=8,
        halo=lambda config: None,
        stage_scales=(1.0, 1.0, 1.0),
        local_halo=mprnet.local_halo,
        patch=256,
    ),
    "mprnet-local": Architecture(
        build=mprnet_local.LocalMPRNet,
        config=mprnet_local.LocalMPRNetConfig,
        multiple_of=8,
        halo=mprnet_local.halo,
        stage_scales=(1.0, 1.0, 1.0),
        scales=lambda config: int(config.scales),
    ),
    "mirnet": Architecture(
        build=mirnet.MIRNet,
        config=mirnet.MIRNetConfig,
        multiple_of=4,
        halo=lambda config: None,
        stage_scales=(1.0,),
        local_halo=mirnet.local_halo,
        patch=128,
    ),
    "pss-nsc": Architecture(
        build=pss_nsc.PSSNSC,
        config=pss_nsc.PSSNSCConfig,
        multiple_of=16,
        halo=pss_nsc.halo,
        stage_scales=(1.0, 0.5, 0.25),
    ),
    "formresnet": Architecture(
        build=formresnet.FormResNet,
        config=formresnet.FormResNetConfig,
        multiple_of=1,
        halo=formresnet.formresnet_halo,
        stage_scales=(1.0, 1.0),
    ),
    "diffresnet": Architecture(
        build=formresnet.DiffResNet,
        config=formresnet.DiffResNetConfig,
        multiple_of=1,
        halo=formresnet.diffresnet_halo,
        stage_scales=(1.0,),
    ),
}

# Published sizes, by the name a user would type.
PRESETS: dict[str, tuple[str, Any]] = {
    "mimo-unet": ("mimo-unet", mimo_unet.MIMO_UNET),
    "mimo-unet-plus": ("mimo-unet", mimo_unet.MIMO_UNET_PLUS),
    "mprnet": ("mprnet", mprnet.DEBLUR),
    "mprnet-derain": ("mprnet", mprnet.DERAIN),
    "mprnet-denoise": ("mprnet", mprnet.DENOISE),
    "mirnet": ("mirnet", mirnet.MIRNET),
    "pss-nsc": ("pss-nsc", pss_nsc.PSS_NSC),
    "formresnet": ("formresnet", formresnet.FORMRESNET),
    "diffresnet": ("diffresnet", formresnet.DIFFRESNET),
}

ALIASES = {
    "mimo": "mimo-unet",
    "mimo-plus": "mimo-unet-plus",
    "mprnet-deblur": "mprnet",
    "pss": "pss-nsc",
    "recursive-formresnet": "formresnet",
}


def architecture(name: str) -> Architecture:
    """Return the row of an architecture.

    Raises:
        KeyError: there is none of that name; the message lists the nearest ones.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=3) or sorted(ARCHITECTURES)
        raise KeyError(f"no architecture {name!r}; there is {', '.join(near)}") from None


def preset(name: str) -> tuple[str, Any]:
    """Return the architecture and config of a published size; takes ``-`` and ``_``, and aliases.

    Raises:
        KeyError: there is none of that name.
    """
    plain = name.lower().replace("_", "-")
    plain = ALIASES.get(plain, plain)
    try:
        return PRESETS[plain]
    except KeyError:
        near = difflib.get_close_matches(plain, [*PRESETS, *ALIASES], n=3) or sorted(PRESETS)
        raise KeyError(f"no network {name!r}; there is {', '.join(near)}") from None


def make_config(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - see Architecture
    """Return the config of an architecture from plain values; fields left out keep their default.

    Raises:
        KeyError: no such architecture.
        ValueError: a field the config does not have, or a value it refuses.
    """
    config_type = architecture(name).config
    known = {field.name for field in fields(config_type)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{name} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
    return config_type(**values)


def config_values(config: Any) -> dict[str, Any]:  # noqa: ANN401 - see Architecture
    """Return every field of a config as plain values, the inverse of :func:`make_config`."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(config).items()
    }


def size_rule(name: str, values: Mapping[str, Any]) -> int:
    """Return what height and width of an image have to be multiples of.

    Raises:
        KeyError, ValueError: as :func:`make_config`.
    """
    row = architecture(name)
    return row.multiple_of << (row.scales(make_config(name, values)) - 1)


def create_model(name: str, values: Mapping[str, Any] | None = None) -> RestorationModel:
    """Build a network with fresh random weights.

    Args:
        name: a key of ``ARCHITECTURES``.
        values: fields of its config; those left out keep their default.

    Raises:
        KeyError: no such architecture.
        ValueError: a field the config does not have, or a value it refuses.
    """
    return architecture(name).build(make_config(name, values or {}))
