"""Removes temporary files that killed batches left behind."""

from __future__ import annotations

import os
import re
from pathlib import Path

from restore_cli.jobs.batch.claims import Claims
from restore_cli.jobs.batch.storage.local import remove_temporary

_OURS = re.compile(r"\.restore-([0-9a-f]{32})\.part")


def remove_stale_files(root: Path, claims: Claims) -> int:
    """Remove temporary files below ``root`` whose processes are gone; return how many there were.

    The name of a temporary file holds the key of the claim under which it was made. A claim ends
    with its process, so whoever gets it knows that nobody writes that file any more.

    Raises:
        ImageError: a claim cannot be written down.
    """
    removed = 0
    for folder, folders, files in os.walk(root):
        names = [*folders, *files]
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            match = _OURS.fullmatch(name)
            claim = claims.take(match[1]) if match else None
            if claim is not None:
                remove_temporary(Path(folder) / name)
                removed += 1
                claim.release()
    return removed
