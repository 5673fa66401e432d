"""The published systems: how to know their checkpoints, read their sizes, and name their terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from models import mirnet as mirnet_network
from restore_cli.weights.card import Json
from restore_cli.weights.keymaps import mimo_unet, mirnet, mprnet, pss_nsc
from restore_cli.weights.keymaps.keymap import Keymap

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

NON_COMMERCIAL = "Academic Public License: non-commercial use only"
ALL_RIGHTS_RESERVED = "none published: all rights reserved by the authors"

_MAX_REDUCTION = 256  # of the channels that attention squeezes; published: 4 and 8


@dataclass(frozen=True, slots=True)
class PublishedSystem:
    """One row of the table below."""

    title: str
    architecture: str  # a key of models.ARCHITECTURES
    keymap: Keymap
    landmarks: tuple[str, ...]  # what keys begin with; no two systems share one
    config: Callable[[Shapes], dict[str, Json]]  # raises KeyError for an entry it needs
    wrapper: str  # key of the state dict in the published file; "" for a TensorFlow checkpoint
    licence: str  # of the published weights
    task: str  # unless the file's name or the size tells; "" if nothing is likely


def keymap_for(system: PublishedSystem, config: Mapping[str, Json]) -> Keymap:
    """Return the names of a network of this size.

    They are the same for every size, but for those that MIRNet gives its samplers by channels.
    """
    if system.architecture != "mirnet":
        return system.keymap
    rules = tuple(
        (re.sub(r"(?<=\.)(\d+)(?=_\d)", partial(_scaled, config), published), ours)
        for published, ours in system.keymap.rules
    )
    return replace(system.keymap, rules=rules)


def _scaled(config: Mapping[str, Json], channels: re.Match[str]) -> str:
    return str(int(channels[0]) * int(str(config["features"])) // mirnet_network.MIRNET.features)


def _mimo_unet(shapes: Shapes) -> dict[str, Json]:
    return {
        "width": shapes["feat_extract.0.main.0.weight"][0],
        "blocks": _count(shapes, r"(?:En|De)coder\.\d+\.layers\.(\d+)\."),
    }


def _mprnet(shapes: Shapes) -> dict[str, Json]:
    features = shapes["shallow_feat1.0.weight"][0]
    return {
        "features": features,
        "unet_growth": shapes["stage1_encoder.down12.down.1.weight"][0] - features,
        "orsnet_growth": shapes["concat23.weight"][0] - features,
        "blocks_per_group": _count(shapes, r"stage3_orsnet\.orb\d\.body\.(\d+)\.CA\."),
        "reduction": _reduction(shapes, r".*\.CA\.conv_du\.0\.weight"),
    }


def _mirnet(shapes: Shapes) -> dict[str, Json]:
    return {
        "features": shapes["conv_in.weight"][0],
        "groups": _count(shapes, r"body\.(\d+)\."),
        "blocks_per_group": _count(shapes, r"body\.\d+\.body\.(\d+)\.blocks\."),
        "height": _count(shapes, r"body\.\d+\.body\.\d+\.blocks\.(\d+)\."),
        "width": _count(shapes, r"body\.\d+\.body\.\d+\.blocks\.\d+\.(\d+)\."),
    }


def _pss_nsc(shapes: Shapes) -> dict[str, Json]:
    return {
        "width": shapes["g_net/enc1_1_0/weights"][3],
        "units": _count(shapes, r"g_net/(?:enc|dec)\d_2/d(\d+)/") - 1,  # counted from 1 there
    }


SYSTEMS = (
    PublishedSystem(
        title="MIMO-UNet",
        architecture="mimo-unet",
        keymap=mimo_unet.KEYMAP,
        landmarks=("Encoder.", "Decoder.", "feat_extract.", "AFFs.", "SCM1.", "SCM2."),
        config=_mimo_unet,
        wrapper="model",
        licence=ALL_RIGHTS_RESERVED,
        task="deblur",
    ),
    PublishedSystem(
        title="MPRNet",
        architecture="mprnet",
        keymap=mprnet.KEYMAP,
        landmarks=("shallow_feat", "stage1_", "stage2_", "stage3_", "sam12.", "sam23."),
        config=_mprnet,
        wrapper="state_dict",
        licence=NON_COMMERCIAL,
        task="deblur",
    ),
    PublishedSystem(
        title="MIRNet",
        architecture="mirnet",
        keymap=mirnet.KEYMAP,
        landmarks=(
            "conv_in.",
            "conv_out.",
            "body.0.body.0.blocks.",
            "body.0.body.0.down.",
            "body.0.body.0.last_up.",
            "body.0.body.0.selective_kernel.",
        ),
        config=_mirnet,
        wrapper="state_dict",
        licence=NON_COMMERCIAL,
        task="",
    ),
    PublishedSystem(
        title="PSS-NSC",
        architecture="pss-nsc",
        keymap=pss_nsc.KEYMAP,
        landmarks=("g_net/enc1_", "g_net/enc2_", "g_net/enc3_", "g_net/dec1_", "g_net/dec2_"),
        config=_pss_nsc,
        wrapper="",
        licence=ALL_RIGHTS_RESERVED,
        task="deblur",
    ),
)


def _count(shapes: Shapes, pattern: str) -> int:
    """Return one more than the highest number that ``pattern`` finds at the start of a key.

    Raises:
        ValueError: more than there are entries, which would be built before it is found wrong.
    """
    found = [int(match[1]) for key in shapes if (match := re.match(pattern, key))]
    count = max(found, default=-1) + 1
    if count > len(shapes):
        raise ValueError(f"{count} blocks in {len(shapes)} entries")
    return count


def _reduction(shapes: Shapes, pattern: str) -> int:
    """Return the ratio by which every layer squeezes its channels, rounding down.

    A narrow layer alone does not tell: 10 of 40 may be a quarter of them or, rounded, 3 of 11.
    """
    squeezes = [shape for key, shape in shapes.items() if re.fullmatch(pattern, key)]
    widest = max((shape[1] for shape in squeezes), default=0)
    for ratio in range(1, min(widest, _MAX_REDUCTION) + 1):
        if all(shape[1] // ratio == shape[0] for shape in squeezes):
            return ratio
    return 1
