from __future__ import annotations

import os
import sys

import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.jobs.restore.targets import (
    Target,
    check_formats,
    check_source,
    check_target,
    plan_targets,
    requested_format,
    with_suffix,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "out").mkdir()
    return tmp_path


def plan(inputs, output=None, *, suffix=None, in_place=False):
    targets = plan_targets(inputs, output, task="deblur", suffix=suffix, in_place=in_place)
    return [target.path for target in targets]


def test_derived_names_lie_beside_the_input():
    assert plan(["a.png", "out/../b.png"]) == ["a_deblur.png", "out/../b_deblur.png"]
    assert plan(["a.png"], suffix=".webp") == ["a_deblur.webp"]


@pytest.mark.parametrize("output", ["out", "out/", "new/"])
def test_folders_take_derived_names(output):
    name = output.rstrip("/")
    assert plan(["a.png", "b.png"], output) == [f"{name}/a_deblur.png", f"{name}/b_deblur.png"]


def test_a_file_is_taken_as_it_is():
    assert plan(["a.png"], "x.jpg") == ["x.jpg"]


def test_streams():
    assert plan(["-"]) == ["-"]
    assert plan(["a.png"], "-") == ["-"]
    assert plan(["-"], "x.png") == ["x.png"]
    assert plan(["-"], "out/") == ["out/stdin_deblur"]


@pytest.mark.parametrize(
    ("path", "explicit", "expected"),
    [
        ("out/stdin_deblur", False, "out/stdin_deblur.jpg"),
        ("a_deblur.dat", False, "a_deblur.jpg"),
        ("a_deblur.png", False, "a_deblur.png"),
        ("x", True, "x"),
        ("-", True, "-"),
    ],
)
def test_a_derived_name_gets_a_suffix_that_can_be_written(path, explicit, expected):
    assert with_suffix(Target("-", path, explicit), "jpeg").path == expected


def test_in_place():
    assert plan(["a.png", "b.png"], in_place=True) == ["a.png", "b.png"]
    assert plan(["a.png"], "a.png", in_place=True) == ["a.png"]


@pytest.mark.parametrize(
    ("inputs", "output", "in_place", "message"),
    [
        (["a.png", "b.png"], "x.png", False, "2 inputs do not fit in one file x.png"),
        (["a.png", "b.png"], "-", False, "only one image fits on standard output"),
        (["-", "-"], "out/", False, "standard input (-) can be read only once"),
        (["a.png"], "a.png", False, "a.png: would replace the input itself"),
        (["a.png"], "out/../a.png", False, "out/../a.png: would replace the input a.png"),
        (["a.png"], "b.png", True, "--in-place and another --output contradict"),
        (["-"], None, True, "standard input cannot be restored --in-place"),
        (["a.png", "a.png"], None, False, "a.png and a.png would both become a_deblur.png"),
        (["a.png", "a.png"], None, True, "a.png and a.png would both become a.png"),
    ],
)
def test_errors(inputs, output, in_place, message):
    with pytest.raises(UsageError) as caught:
        plan(inputs, output, in_place=in_place)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_to_an_input_are_the_input(link, folder):
    link(folder / "a.png", folder / "same.png")
    with pytest.raises(UsageError, match=r"would replace the input a\.png"):
        plan(["a.png"], "same.png")


def test_another_inputs_file_is_not_replaced_either(folder):
    (folder / "a_deblur.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="would replace the input"):
        plan(["a.png", "a_deblur.png"])


def test_no_image_goes_to_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(UsageError, match="not written to a terminal"):
        plan(["a.png"], "-")


@pytest.mark.parametrize(
    ("path", "explicit", "message"),
    [
        ("b.png", False, "b.png: exists already (--overwrite replaces it)"),
        ("out", True, "out: is a folder"),
        ("gone/x.png", True, "gone: no such folder"),
        ("b.png/x.png", True, "b.png: is not a folder"),
        ("b.png/x/y.png", False, "b.png: is not a folder"),
        ("x.xyz", True, "x.xyz: cannot write .xyz files"),
        ("x.gif", True, "x.gif: cannot write .gif files"),
        (os.devnull, True, f"{os.devnull}: is not a regular file"),
    ],
)
def test_unwritable_targets(path, explicit, message):
    with pytest.raises(ImageError) as caught:
        check_target(Target("a.png", path, explicit), overwrite=False)
    assert str(caught.value).startswith(message)


def test_writable_targets():
    check_target(Target("a.png", "-", True), overwrite=False)
    check_target(Target("a.png", "b.png", True), overwrite=False)
    check_target(Target("a.png", "b.png", False), overwrite=True)
    check_target(Target("a.png", "new/deep/x.png", False), overwrite=False)


def test_permissions_are_asked_for(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ImageError, match="folder is not writable"):
        check_target(Target("a.png", "x.png", True), overwrite=False)
    with pytest.raises(ImageError, match="is write-protected"):
        check_target(Target("a.png", "b.png", True), overwrite=False)


@pytest.mark.parametrize(
    ("source", "message"),
    [("out", "out: is a folder"), ("c.png", "c.png: no such file"), ("l", "l: is a link to no")],
)
def test_unreadable_sources(source, message, folder):
    (folder / "l").symlink_to("nowhere")
    with pytest.raises(ImageError) as caught:
        check_source(source)
    assert str(caught.value).startswith(message)


def test_format_names():
    assert requested_format(None) is None
    assert [requested_format(name) for name in ("JPG", ".tif", "webp")] == ["jpeg", "tiff", "webp"]
    for name in ("xyz", "gif", ""):
        with pytest.raises(UsageError):
            requested_format(name)


def test_a_name_and_a_format_may_not_contradict():
    check_formats([Target("a.png", "x.jpeg", True), Target("a", "x", True)], "jpeg")
    with pytest.raises(UsageError, match="the name asks for png, --format for jpeg"):
        check_formats([Target("a.png", "x.png", True)], "jpeg")
