from __future__ import annotations

import io
import json

import pytest

from restore_cli.cli import console as module
from restore_cli.cli.console import Console
from restore_cli.cli.progress import PlainProgress, shown_progress
from restore_cli.errors import ImageError
from restore_cli.jobs.restore.report import Event, FileResult


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def open_terminal(monkeypatch):
    """A function, because pytest sets its own stderr between a fixture and its test."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def replace_stderr():
        stream = Terminal()
        monkeypatch.setattr("sys.stderr", stream)
        return stream

    return replace_stderr


def test_errors_are_red_on_a_terminal_only(open_terminal):
    terminal = open_terminal()
    Console().error("x")
    assert terminal.getvalue() == "\x1b[1;31merror:\x1b[0m x\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(open_terminal, monkeypatch, name, value):
    terminal = open_terminal()
    monkeypatch.setenv(name, value)
    Console().error("x")
    assert terminal.getvalue() == "error: x\n"


def test_names_cannot_drive_the_terminal(capsys):
    Console().error("a\x1b[2J\nb\udcff.png")
    assert capsys.readouterr().err == "error: a\\x1b[2J\\nb\\udcff.png\n"


def test_quiet_leaves_errors(capsys):
    console = Console(quiet=True)
    console.info("a")
    console.note("b")
    console.error("c")
    assert capsys.readouterr().err == "error: c\n"


def test_details_are_for_verbose(capsys):
    Console().detail("a")
    Console(verbose=True).detail("b")
    assert capsys.readouterr().err == "b\n"


def test_failure_is_an_object_too_with_json(capsys):
    Console(json=True).failure(ImageError("bad", path="a.png", hint="do x"))
    out, err = capsys.readouterr()
    assert err == "error: a.png: bad (do x)\n"
    assert json.loads(out) == {
        "error": {
            "kind": "ImageError",
            "file": "a.png",
            "what": "bad",
            "hint": "do x",
            "exit_code": 3,
        },
        "exit_code": 3,
    }


def test_json_leaves_stdout_to_the_image(capsys):
    Console(json=True, stdout_is_image=True).json_object({"a": 1}, indent=None)
    assert capsys.readouterr() == ("", '{"a": 1}\n')


def test_tables_are_tab_separated_off_a_terminal(capsys):
    Console().table(("a", "b"), [("1", "x y")])
    assert capsys.readouterr().out == "a\tb\n1\tx y\n"


def test_tables_are_aligned_on_a_terminal(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    Console().table(("a", "b"), [("1", "[x]")])
    assert "[x]" in stream.getvalue()


def test_plain_lines_are_rate_limited(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    show = PlainProgress(Console(), interval_s=5)
    show(Event("start", "a.png", 1, 2))
    for done in range(1, 11):
        now[0] += 2
        show(Event("tiles", "a.png", 1, 2, done=done, total=10))
    result = FileResult("a.png", "b.png", "done", width=4, height=2, seconds=20)
    show(Event("done", "a.png", 1, 2, result=result))
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] a.png: 30 % (3 of 10 tiles)",
        "[1/2] a.png: 60 % (6 of 10 tiles)",
        "[1/2] a.png: 90 % (9 of 10 tiles)",
        "[1/2] a.png -> b.png (4x2, 20.0 s)",
    ]


def test_frames_come_with_their_speed(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    show = PlainProgress(Console(), interval_s=5)
    show(Event("start", "a.mp4", 1, 1))
    for done in range(1, 9):
        now[0] += 3
        show(
            Event("frames", "a.mp4", 1, 1, done=done, total=8 if done > 2 else 0, frames_per_s=0.5)
        )
    result = FileResult("a.mp4", "b.mp4", "done", width=4, height=2, frames=8, seconds=24)
    show(Event("done", "a.mp4", 1, 1, result=result))
    assert capsys.readouterr().err.splitlines() == [
        "a.mp4: 2 frames, 0.5 frames/s",
        "a.mp4: 4 of 8 frames, 0.5 frames/s, 0:00:08 left",
        "a.mp4: 6 of 8 frames, 0.5 frames/s, 0:00:04 left",
        "a.mp4 -> b.mp4 (4x2, 8 frames, 24.0 s)",
    ]


def test_json_lines_hold_every_event(capsys):
    with shown_progress(Console(progress="json")) as show:
        show(Event("start", "a.png", 1, 1))
        show(Event("tiles", "a.png", 1, 1, done=1, total=9))
        show(Event("tiles", "a.png", 1, 1, done=2, total=9))
        show(Event("tiles", "a.png", 1, 1, done=9, total=9))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(event["event"], event.get("done")) for event in events] == [
        ("start", None),
        ("tiles", 1),
        ("tiles", 9),
    ]


def test_none_leaves_notes_and_failures(capsys):
    with shown_progress(Console(progress="none")) as show:
        show(Event("start", "a.png", 1, 1))
        show(Event("note", "a.png", 1, 1, text="grey"))
        show(Event("failed", "a.png", 1, 1, text="a.png: bad"))
    assert capsys.readouterr().err == "note: a.png: grey\nerror: a.png: bad\n"


def test_the_bar_is_drawn_on_a_terminal(open_terminal):
    terminal = open_terminal()
    with shown_progress(Console()) as show:
        show(Event("start", "a[b].png", 1, 1))
        show(Event("tiles", "a[b].png", 1, 1, done=1, total=2))
        show(Event("failed", "a[b].png", 1, 1, text="bad"))
    assert "a[b].png" in terminal.getvalue()
    assert "bad" in terminal.getvalue()


def test_a_dumb_terminal_gets_no_bar(open_terminal, monkeypatch):
    open_terminal()
    monkeypatch.setenv("TERM", "dumb")
    with shown_progress(Console()) as show:
        assert type(show) is PlainProgress


def test_the_instance_can_be_reset():
    console = Console(quiet=True, json=True, progress="none", debug=True)
    console.reset()
    assert console == Console()
    assert module.console is not None
