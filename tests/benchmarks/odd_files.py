"""Restore a folder of odd files with the command line, and make a page of what became of them.

    python -m tests.benchmarks.odd_files FOLDER [-o docs/odd-files.md] [--model MODEL] [--batch]

The folder's README.md says in a table what each file is and what a good tool does with it. Every
file is restored by ``restore deblur FILE -o OUT/``, in this process, with its exit code and what
it prints on stderr. Only what is on the disk then is reported.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from restore_cli.cli.app import run
from restore_cli.imaging.image import Image
from restore_cli.imaging.limits import DEFAULT_MAX_PIXELS
from restore_cli.imaging.reading import read_image
from restore_cli.jobs.restore.inputs import LocalFile
from restore_cli.jobs.restore.whole_image import measured_size

HEAD = """# Odd files

What `restore deblur FILE -o OUT/` makes of files from many programs: upper-case names, CMYK, Lab,
bombs, broken headers, cut-off files. `tests/benchmarks/odd_files.py` made this page from a
collection of freely licensed files: test images of Pillow, libvips, image-rs, libjxl and link-u,
PngSuite, and files made for this project. What a good tool does with each file ("asked for") was
written down before the run. `→` shows what was written; else the line on stderr is shown. Pictures
over 10 megapixels were only planned, with `--dry-run`. Model: {model}.

| file | what it is | asked for | exit | outcome |
| --- | --- | --- | --- | --- |
"""
LARGEST = 10_000_000
KEPT = ("exif", "icc", "xmp", "dpi")


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the folder's table."""

    name: str
    what: str
    wanted: str


def asked(readme: str) -> list[Asked]:
    """Return the rows of the table in a README."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*) \| ([^|]*) \|", readme, re.MULTILINE)
    return [Asked(*(cell.strip() for cell in row)) for row in rows]


def restored(path: Path, out: Path, options: list[str]) -> tuple[int, str]:
    """Return the exit code of the program and what it says."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = run(["deblur", str(path), "-o", f"{out}/", "--progress", "none", *options])
    return code, said.getvalue()


def is_large(path: Path) -> bool:
    """Say whether a picture has more than LARGEST pixels, by its header."""
    size = measured_size(LocalFile(str(path)))
    return size is not None and LARGEST < size[0] * size[1] <= DEFAULT_MAX_PIXELS


def described(image: Image) -> str:
    """Return size, channels, depth and metadata in a few words."""
    colour = "grey" if image.is_grey else "RGB"
    alpha = " + alpha" if image.alpha is not None else ""
    kept = [name for name in KEPT if getattr(image.metadata, name) is not None]
    metadata = f", {'+'.join(kept)}" if kept else ""
    return f"{image.width}×{image.height} {colour}{alpha} {image.depth}{metadata}"


def difference(before: Image, after: Image) -> str:
    """Return how much the mean colour and all pixels have changed, in 8-bit steps."""
    finite = np.isfinite(before.pixels).all(axis=2)
    if before.alpha is not None:
        finite &= before.alpha[:, :, 0] > 0
    if not finite.any() or before.pixels.shape != after.pixels.shape:
        return ""
    first, second = before.pixels[finite].clip(0, 1), after.pixels[finite].clip(0, 1)
    tint = np.abs(first.mean(axis=0) - second.mean(axis=0)).max() * 255
    return f", mean colour ±{tint:.1f}, pixels ±{np.abs(first - second).mean() * 255:.1f} of 255"


def outcome(path: Path, out: Path, options: list[str]) -> tuple[int, str]:
    """Return the exit code, and what there is now or what was said."""
    is_planned = is_large(path)
    code, text = restored(path, out, [*options, *(["--dry-run"] if is_planned else [])])
    text = text.replace(f"{path.parent}/", "").replace(f"{out}/", "OUT/")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    written = [item for item in out.iterdir() if item.is_file()]
    if code or is_planned:
        errors = [line for line in lines if line.startswith("error")] or lines
        left = f" LEFT BEHIND: {written}" if written else ""
        return code, " / ".join(errors) + left
    (result,) = written
    before, after = read_image(path), read_image(result)
    suffix = "" if result.suffix == path.suffix else f"{result.suffix}, "
    notes = [line.partition(f"{path.name}: ")[2] for line in lines if line.startswith("note")]
    parts = [f"→ {suffix}{described(after)}{difference(before, after)}", *notes]
    return code, "; ".join(parts)


def in_a_folder(folder: Path, model: str) -> str:
    """Restore the whole folder by one ``restore batch``, and say in a paragraph what came of it."""
    large = [path.name for path in sorted(folder.iterdir()) if is_large(path)]
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(said):
        excluded = [part for name in large for part in ("--exclude", name)]
        options = ["--model", model, "--json", "--quiet", "--progress", "none"]
        code = run(["batch", str(folder), "-o", f"{out}/results", *excluded, *options])
    counts = json.loads(said.getvalue().splitlines()[-1])["summary"]
    return (
        f"\nThe same folder as one `restore batch` (without {', '.join(large)}): "
        f"{counts['total']} files found, {counts['done']} restored, {counts['failed']} failed, "
        f"exit code {code}.\n"
    )


def main() -> None:
    """Restore all, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--model", default="mimo-unet-deblur")
    parser.add_argument("--batch", action="store_true", help="and the folder as a whole")
    parser.add_argument("--only", nargs="*", help="names, for a look at some")
    chosen = parser.parse_args()
    page = HEAD.format(model=chosen.model)
    for row in asked((chosen.folder / "README.md").read_text()):
        if chosen.only and row.name not in chosen.only:
            continue
        with tempfile.TemporaryDirectory() as out:
            code, text = outcome(chosen.folder / row.name, Path(out), ["--model", chosen.model])
        cells = (f"`{row.name}`", row.what, row.wanted, str(code), text.replace("|", "\\|"))
        line = f"| {' | '.join(cells)} |\n"
        page += line
        sys.stderr.write(line)
    if chosen.batch:
        page += in_a_folder(chosen.folder, chosen.model)
    if chosen.output:
        chosen.output.write_text(page)
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    main()
