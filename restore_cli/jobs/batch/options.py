"""Options of a batch: which files, how the work is shared, and where it is computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from restore_cli.option import Option

_SHARD = r"([1-9]\d{0,5})/([1-9]\d{0,5})"


class Shard(NamedTuple):
    """Names one part of the work, counted from 1, of how many parts."""

    part: int
    parts: int

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"


def shard(text: str) -> Shard:
    """Return the part of the work that ``K/N`` names.

    Raises:
        ValueError: the text is no such part, or K is not from 1 to N.
    """
    match = re.fullmatch(_SHARD, text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"{text!r} is no shard such as 1/4, counted from 1")
    return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Says which files to restore and where; how to restore is in ``RestoreOptions``."""

    include: Annotated[
        Sequence[str],
        Option(
            "Take only files whose name or path in the tree matches; may be repeated.",
            metavar="PATTERN",
        ),
    ] = ()
    exclude: Annotated[
        Sequence[str],
        Option("Leave out files and folders that match; may be repeated.", metavar="PATTERN"),
    ] = ()
    base: Annotated[
        str | None,
        Option("Name results by the paths of their inputs relative to this folder.", metavar="DIR"),
    ] = None
    shard: Annotated[
        tuple[int, int],
        Option(
            "Do the K-th of N parts; a file's part depends on its name only.",
            metavar="K/N",
            parse=shard,
        ),
    ] = Shard(1, 1)
    retry_failed: Annotated[bool, Option("Also try again files that failed before.")] = False
    fail_fast: Annotated[bool, Option("Stop at the first failure.")] = False
    watch: Annotated[bool, Option("Go on with files that arrive later, until Ctrl-C.")] = False
    poll_s: Annotated[
        float,
        Option(
            "With --watch, seconds between two looks at the folders; a file that changed since the"
            " last look waits.",
            name="poll",
            metavar="SECONDS",
            min=0.1,
        ),
    ] = 2.0
    engine: Annotated[
        Literal["local", "ray"],
        Option(
            "Restore in this process, or on a Ray cluster (extra cluster).", metavar="local|ray"
        ),
    ] = "local"
    ray_address: Annotated[
        str | None,
        Option(
            "With --engine ray, which cluster; default: RAY_ADDRESS, or one on this machine.",
            metavar="HOST:PORT",
        ),
    ] = None
    workers: Annotated[
        int | None,
        Option(
            "With --engine ray, how many; default: one for each GPU or, without, each CPU.",
            metavar="N",
            min=1,
        ),
    ] = None
