"""Options of ``restore train``: which recipe, and what holds for this session only."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from restore_cli.engine.options import Device
from restore_cli.option import Option

_DURATION = r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?"


def duration(text: str) -> float:
    """Return the seconds in ``90``, ``30m``, ``2h`` or ``1h30m``.

    Raises:
        ValueError: the text is no duration.
    """
    match = re.fullmatch(_DURATION, text)
    if not text or match is None:
        raise ValueError(f"{text!r} is no time such as 90s, 30m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


@dataclass(frozen=True, slots=True)
class RecipeOptions:
    """Says which recipe to train by, and what to change in it."""

    model: Annotated[
        str,
        Option(
            "Network or recipe, such as mimo, mimo-plus, mimo-unet-deblur.",
            short="-m",
            metavar="NAME",
        ),
    ] = "mimo"
    recipe: Annotated[
        Path | None, Option("A recipe file instead of a built-in one.", metavar="FILE")
    ] = None
    steps: Annotated[
        int | None,
        Option("Steps of the whole run; default: the recipe's.", metavar="N", min=1),
    ] = None
    changes: Annotated[
        Sequence[str],
        Option(
            "Change a key of the recipe, as optimizer.lr=2e-4; may be repeated.",
            name="set",
            metavar="KEY=VALUE",
        ),
    ] = ()


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Says what holds for this session and is not in the recipe."""

    device: Device = "auto"
    max_time_s: Annotated[
        float,
        Option(
            "Stop after this long: 90s, 30m, 1h30m; the same command goes on from there.",
            name="max_time",
            metavar="TIME",
            parse=duration,
            show_default=False,
        ),
    ] = math.inf
    workers: Annotated[int, Option("Processes that read photos.", metavar="N", min=0)] = 0
    weights: Annotated[
        Path | None,
        Option(
            "Start from this weights file (fine-tuning); its network may be a smaller one.",
            metavar="FILE",
        ),
    ] = None
