"""A batch writes into its folder of results and nowhere else, whatever inputs are called."""

from __future__ import annotations

import os

import numpy as np
import pytest

from restore_cli.errors import ImageError
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import encode_image, write_image
from restore_cli.jobs.batch.claims import CLAIMS_FOLDER, claim_key
from restore_cli.jobs.batch.inputs import names_in
from restore_cli.jobs.batch.journal import JOURNAL_NAME
from restore_cli.jobs.batch.run import restore_batch
from tests.options import restore_options

PICTURE = encode_image(Image(np.full((9, 12, 3), 0.5, np.float32)), format="png")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to be in, beside others that no batch may write to."""
    for name in ("work/in/sub", "work/out", "beside", "far/away"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def batch(narrow_model_file):
    def run(*paths, **options):
        chosen = restore_options(model=str(narrow_model_file), device="cpu", **options)
        return restore_batch([os.fsdecode(path) for path in paths], "out", chosen)

    return run


def state(root):
    """Return every file and link outside of the folder of results, and what is in it."""
    found = {}
    for path in root.rglob("*"):
        if path.is_relative_to(root / "work" / "out"):
            continue
        if path.is_symlink():
            found[path] = path.readlink()
        elif path.is_file():
            found[path] = path.read_bytes()
    return found


def results(root):
    """Return the names of all results, as bytes."""
    out = root / "work" / "out"
    names = {os.fsencode(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    return names - {JOURNAL_NAME.encode()}


def test_a_list_that_leads_out(place, batch):
    for path in ("beside/a.png", "far/away/b.png", "work/in/c.png", "work/d.png"):
        (place / path).write_bytes(PICTURE)
    before = state(place)
    listed = f"../beside/a.png\n{place}/far/away/b.png\nin/sub/../c.png\n../work/in/../d.png\n"
    assert batch(*names_in(listed.encode(), nul=False)).done == 4
    assert results(place) == {b"a.png", b"b.png", b"c.png", b"d.png"}
    assert state(place) == before


def test_links_among_the_results(place, batch):
    for name in ("in/a.png", "in/b.png", "in/c.png", "in/sub/d.png", "in/sub/deep/e.png"):
        (place / "work" / name).parent.mkdir(exist_ok=True)
        (place / "work" / name).write_bytes(PICTURE)
    (place / "beside" / "precious.png").write_bytes(b"precious")
    out = place / "work" / "out"
    (out / "a.png").symlink_to(place / "beside" / "precious.png")
    (out / "b.png").symlink_to(place / "beside" / "new.png")
    (out / "sub").symlink_to(place / "far")
    (out / f".restore-{claim_key('c.png')}.part").symlink_to(place / "beside" / "precious.png")
    before = state(place)
    report = batch("in", overwrite=True)
    assert (report.done, report.failed) == (1, 4)
    assert all("link" in str(outcome.error) for outcome in report.failures)
    assert state(place) == before
    assert (out / "c.png").is_file()


@pytest.mark.parametrize("name", [JOURNAL_NAME, CLAIMS_FOLDER])
def test_links_in_place_of_our_own_files(place, batch, name):
    (place / "work" / "in" / "a.png").write_bytes(PICTURE)
    (place / "beside" / "notes").write_bytes(b"precious")
    target = "beside" if name == CLAIMS_FOLDER else "beside/notes"
    (place / "work" / "out" / name).symlink_to(place / target)
    before = state(place)
    with pytest.raises(ImageError):
        batch("in")
    assert state(place) == before


ODD = [
    b"new\nline.png",
    b"carriage\rreturn.png",
    "\N{CAT FACE} \N{GREEK SMALL LETTER OMEGA}.png".encode(),
    b"\xff\xfe not text.png",
    b"\x1b[31mred\x07.png",
    b" spaces at both ends .png",
    b"-o.png",
    b"--overwrite.png",
    b"%2e%2e%2f.png",
    b"a:b.png",
    b"*[?].png",
    b"$(touch x) `touch y`.png",
    b"n" * 251 + b".png",
]
HIDDEN = [b"...png", b"..\\..\\back.png"]  # in a folder, that is


def test_odd_names_in_a_folder(place, batch):
    for name in ODD:
        (place / "work" / "in" / os.fsdecode(name)).write_bytes(PICTURE)
    (place / "work" / "in" / os.fsdecode(HIDDEN[1])).write_bytes(PICTURE)
    before = state(place)
    report = batch("in")
    assert (report.done, report.failed) == (len(ODD), 0)
    assert results(place) == set(ODD)
    assert batch("in").skipped == len(ODD)
    assert state(place) == before


def test_odd_names_in_a_list(place, batch):
    names = [*ODD, *HIDDEN]
    for name in names:
        (place / "work" / os.fsdecode(name)).write_bytes(PICTURE)
    before = state(place)
    assert batch(*names_in(b"\0".join(names), nul=True)).done == len(names)
    assert results(place) == set(names)
    assert state(place) == before


def test_a_name_too_long_for_its_result(place, batch):
    long = "n" * 251 + ".jpe"
    write_image(place / "work" / "in" / "a.jpg", Image(np.full((9, 12, 3), 0.5, np.float32)))
    (place / "work" / "in" / "a.jpg").rename(place / "work" / "in" / long)
    (place / "work" / "in" / "b.png").write_bytes(PICTURE)
    report = batch("in", format="webp")
    assert (report.done, report.failed) == (1, 1)
    assert "too long" in str(report.failures[0].error)
    assert results(place) == {b"b.webp"}
