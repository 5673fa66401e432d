"""Decides where each result goes, and checks before any work that it may go there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from restore_cli.errors import ImageError, RestoreError, UsageError
from restore_cli.imaging.formats import format_for
from restore_cli.imaging.listing import derived_name, suffix_of
from restore_cli.imaging.video.formats import READ_ONLY, VIDEO_FORMATS, video_format
from restore_cli.imaging.video.formats import writable as writable_videos

STREAM = "-"


@dataclass(frozen=True, slots=True)
class Target:
    """One input and the place of its result."""

    source: str  # a file name or "-"
    path: str  # a file name or "-"
    explicit: bool  # named by the user: may replace what is there
    is_remote: bool = False  # the path is in an object store

    @property
    def is_on_disk(self) -> bool:
        """Whether the result becomes a file on a disk of this machine."""
        return self.path != STREAM and not self.is_remote


def plan_targets(
    inputs: Sequence[str], output: str | None, *, task: str, suffix: str | None, in_place: bool
) -> list[Target]:
    """Return where each input's result goes.

    Args:
        inputs: file names, ``-`` for standard input.
        output: a file, a folder (existing, or with a trailing slash), ``-``, or None for a
            derived name beside the input.
        task: what derived names say was done.
        suffix: of derived names, if another than the input's.
        in_place: results replace their inputs.

    Raises:
        UsageError: what is asked contradicts itself, or would replace an input.
    """
    if list(inputs).count(STREAM) > 1:
        raise UsageError("standard input (-) can be read only once")
    if in_place and output is None:
        return _in_place(inputs)
    if output == STREAM or (output is None and list(inputs) == [STREAM]):
        return _to_stream(inputs)
    targets = [_target(source, output, len(inputs), task, suffix) for source in inputs]
    _refuse_collisions(targets)
    if not in_place:
        _refuse_inputs_as_outputs(targets, inputs)
    elif not all(_is_same(target.path, target.source) for target in targets):
        raise UsageError("--in-place and another --output contradict each other")
    return targets


def requested_format(name: str | None) -> str | None:
    """Return the name of the format that ``--format`` asks for; ``jpg`` becomes ``jpeg``.

    Raises:
        UsageError: there is no such format, or it is only read.
    """
    if name is None:
        return None
    if video := video_format(name):
        return video
    try:
        return format_for(f"image.{name.lower().lstrip('.') or '?'}")
    except ImageError as error:
        raise UsageError(f"cannot write the format {name!r}", hint=error.hint) from error


def requested_suffix(format_name: str | None) -> str | None:
    """Return the suffix of derived names for a requested format; None: the input's own."""
    if format_name is None:
        return None
    video = VIDEO_FORMATS.get(format_name)
    return suffix_of(format_name) if video is None else video.suffixes[0]


def check_formats(targets: Sequence[Target], requested: str | None) -> None:
    """Refuse targets whose names contradict ``--format``.

    Raises:
        UsageError: one does.
        ImageError: a name asks for a format that cannot be written.
    """
    for target in targets:
        named = _format_of(target.path) if target.explicit and target.path != STREAM else None
        if requested and named and named != requested:
            what = f"the name asks for {named}, --format for {requested}"
            raise UsageError(what, path=target.path, hint="leave one of them out")


def _format_of(path: str | Path) -> str | None:
    suffix = Path(path).suffix.lower()
    if suffix in READ_ONLY:
        what = f"cannot write {suffix} files"
        raise ImageError(what, path=path, hint=f"choose {writable_videos()}")
    return video_format(suffix) or format_for(path)


def with_suffix(target: Target, format_name: str) -> Target:
    """Return the target with the suffix of its format, if its derived name has none that fits."""
    path = Path(target.path)
    if target.explicit or target.path == STREAM:
        return target
    try:
        has_format = format_for(path) is not None
    except ImageError:
        has_format = False
    return (
        target
        if has_format
        else replace(target, path=str(path.with_suffix(suffix_of(format_name))))
    )


def check_target(target: Target, *, overwrite: bool) -> None:
    """Refuse a target that cannot be written, as far as one can know without writing.

    Raises:
        ImageError: its folder is missing or not writable, its format is unknown, or it is
            there already and must not be replaced.
    """
    if target.path == STREAM:
        return
    path = Path(target.path)
    if target.explicit:
        _format_of(path)
    if path.is_dir():
        raise ImageError("is a folder", path=path, hint="add a slash to write into it")
    if path.exists():
        _check_replaced(path, may_replace=target.explicit or overwrite)
    folder = path.parent
    while not target.explicit and not folder.exists() and folder != folder.parent:
        folder = folder.parent  # a folder named with a slash is made when it is needed
    _check_folder(folder)


def _check_replaced(path: Path, *, may_replace: bool) -> None:
    if not path.is_file():
        raise ImageError("is not a regular file", path=path, hint="-o - is standard output")
    if not may_replace:
        raise ImageError("exists already", path=path, hint="--overwrite replaces it")
    if not os.access(path, os.W_OK):
        raise ImageError("is write-protected", path=path, hint="choose another -o")


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise ImageError("no such folder", path=folder, hint="create it, or end -o with a slash")
    if not folder.is_dir():
        raise ImageError("is not a folder", path=folder, hint="choose another -o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError("folder is not writable", path=folder, hint="choose another -o")


def check_source(source: str) -> None:
    """Refuse an input that is missing or no file.

    Raises:
        ImageError: it is not.
    """
    if source == STREAM:
        return
    path = Path(source)
    if path.is_dir():
        raise ImageError("is a folder", path=path, hint="name the files in it")
    if not os.path.lexists(path):
        raise ImageError("no such file", path=path, hint="check the name")
    if not path.exists():
        raise ImageError("is a link to nothing", path=path, hint="check where it points")


def _in_place(inputs: Sequence[str]) -> list[Target]:
    if STREAM in inputs:
        raise UsageError("standard input cannot be restored --in-place", hint="use -o -")
    targets = [Target(source, source, explicit=True) for source in inputs]
    _refuse_collisions(targets)
    return targets


def _to_stream(inputs: Sequence[str]) -> list[Target]:
    if len(inputs) > 1:
        raise UsageError("only one image fits on standard output", hint="use -o DIR/")
    if sys.stdout is None:
        raise ImageError("stdout is closed", path="<stdout>", hint="use -o FILE")
    if sys.stdout.isatty():
        hint = "use -o FILE, or pipe it on"
        raise UsageError("image bytes are not written to a terminal", hint=hint)
    return [Target(inputs[0], STREAM, explicit=True)]


def _target(source: str, output: str | None, count: int, task: str, suffix: str | None) -> Target:
    name = "stdin" if source == STREAM else source
    if output is None:
        return Target(source, str(derived_name(Path(name), task, suffix)), explicit=False)
    if output.endswith(("/", os.sep)) or Path(output).is_dir():
        derived = derived_name(Path(name), task, suffix).name
        return Target(source, str(Path(output) / derived), explicit=False)
    if count > 1:
        raise UsageError(f"{count} inputs do not fit in one file {output}", hint="use -o DIR/")
    return Target(source, output, explicit=True)


def _refuse_collisions(targets: Sequence[Target]) -> None:
    taken: dict[str, str] = {}
    for target in targets:
        place = os.path.realpath(target.path)
        if place in taken:
            both = f"{taken[place]} and {target.source}"
            raise UsageError(f"{both} would both become {target.path}", hint="restore them apart")
        taken[place] = target.source


def _refuse_inputs_as_outputs(targets: Sequence[Target], inputs: Sequence[str]) -> None:
    for target in targets:
        for source in inputs:
            if _is_same(target.path, source):
                what = "would replace the input " + ("itself" if target.path == source else source)
                raise UsageError(what, path=target.path, hint="--in-place does that")


def _is_same(path: str, source: str) -> bool:
    """Return whether both are one file, also through links."""
    if STREAM in (path, source):
        return False
    try:
        return Path(path).samefile(source)
    except OSError:
        return os.path.realpath(path) == os.path.realpath(source)


def as_failure(error: RestoreError, path: str) -> RestoreError:
    """Return the error with the file that it concerns, if it does not name one itself."""
    if error.path is not None:
        return error
    named = type(error)(error.what, path="<stdin>" if path == STREAM else path, hint=error.hint)
    named.__cause__ = error
    return named
