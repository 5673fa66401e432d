"""Encodes results, and writes them to files and standard output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restore_cli.atomic import write_atomically
from restore_cli.errors import ImageError
from restore_cli.imaging.formats import output_format
from restore_cli.imaging.image import Image
from restore_cli.imaging.options import EncodingOptions
from restore_cli.imaging.pipes import write_stdout
from restore_cli.imaging.writing import encode_with_notes
from restore_cli.jobs.restore.targets import STREAM, Target
from restore_cli.jobs.restore.work import Notes


def encode(image: Image, target: Target, encoding: EncodingOptions) -> tuple[bytes, Notes]:
    """Return the file to write, and what the user should know about it.

    Raises:
        ImageError: the format does not take the image.
        UsageError: the format does not hold what is asked for.
    """
    return encode_with_notes(
        image,
        format=output_format(image, target.path, encoding.format),
        quality=encoding.quality,
        bit_depth=encoding.bit_depth,
        strip_metadata=encoding.strip_metadata,
        name="<stdout>" if target.path == STREAM else target.path,
    )


class TargetOutput:
    """Writes the result of a restoring command to its target, whole or not at all."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def write(self, data: bytes) -> None:
        if self._target.path != STREAM:
            self._make_folder()
            write_atomically(self._target.path, data)
            return
        try:
            write_stdout(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            what = f"cannot write: {error.strerror or error}"
            raise ImageError(what, path="<stdout>", hint="free some space there") from error

    @contextmanager
    def part_by_part(self) -> Iterator[str]:
        self._make_folder()
        yield self._target.path

    def _make_folder(self) -> None:
        """Make a folder that was named with a slash."""
        if not self._target.explicit:
            Path(self._target.path).parent.mkdir(parents=True, exist_ok=True)
