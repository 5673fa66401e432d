"""Videos in a batch: from disk to disk, frame by frame, their result whole or not at all."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from restore_cli.errors import ImageError
from restore_cli.imaging.video.formats import video_format
from restore_cli.imaging.video.library import INSTALL, library
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.storage.base import Results, Staged, Storage
from restore_cli.jobs.batch.storage.local import LocalResults, LocalStorage
from restore_cli.jobs.batch.storage.opening import storage_for
from restore_cli.jobs.restore.memory_budget import Budget
from restore_cli.jobs.restore.pixels import OnTile
from restore_cli.jobs.restore.report import FileResult
from restore_cli.jobs.restore.targets import Target
from restore_cli.jobs.restore.video import restore_video, share_video, video_result
from restore_cli.jobs.restore.video_files import open_video

if TYPE_CHECKING:
    from restore_cli.engine.restorer import Restorer
    from restore_cli.jobs.restore.options import RestoreOptions


def why_left_out(name: str, storage: Storage) -> str:
    """Return why a video found in a folder is not restored; empty: it is."""
    if not isinstance(storage, LocalStorage):
        return "only those on a disk are restored"
    if _needs_library(name) and importlib.util.find_spec("av") is None:
        return f"restoring them takes {INSTALL}"
    return ""


def check(item: Item, results: Results) -> None:
    """Pass a video that can be restored, as far as one can know without opening it.

    Raises:
        UsageError: PyAV is not installed.
        ImageError: it does not go from disk to disk.
    """
    is_local = isinstance(storage_for(item.source), LocalStorage)
    if not is_local or not isinstance(results, LocalResults):
        raise ImageError("videos go from disk to disk only", path=item.source)
    if _needs_library(item.source):
        library()


def restore_file(
    item: Item,
    key: str,
    results: Results,
    options: RestoreOptions,
    restorer: Restorer,
    budget: Budget,
    on_tile: OnTile,
) -> tuple[Staged, FileResult]:
    """Write the restored video beside its place, and return it with what is known of it.

    Args:
        item: the video, and the name of its result.
        key: of the claim that is held.
        results: where the result goes.
        options: how to restore; what they say of formats and depths is for images.
        restorer: the engine.
        budget: of memory.
        on_tile: told after each frame how many of how many are done.

    Raises:
        ImageError: it is damaged or has changed meanwhile, or there is nowhere to write.
        ResultError: the restored pixels cannot be right.
        DeviceError: there is not enough memory.
    """
    if not isinstance(results, LocalResults):
        raise ImageError("videos go from disk to disk only", path=item.source)
    storage = LocalStorage()
    before = storage.signature(item.source)
    options = replace(options, encoding=replace(options.encoding, format=None, bit_depth=None))
    with results.staging(item.output, key) as path:
        opened = open_video(Target(item.source, str(path), explicit=True), options, budget)
        if opened is None:
            raise ImageError("not a video", path=item.source)
        with closing(opened):
            total = opened.source.header.frames or 0
            share_video(opened, restorer, budget)
            frames = restore_video(
                # Where nobody knows how many there are, there is one more.
                opened, restorer, options.scale,
                lambda done, _rate: on_tile(done, max(total, done + (not total))),
            )  # fmt: skip
            result = video_result(opened, frames)
        if storage.signature(item.source) != before:
            raise ImageError("has changed while it was read", path=item.source)
    return results.staged_at(path, item.output), result


def _needs_library(name: str) -> bool:
    return video_format(PurePosixPath(name).suffix) != "y4m"
