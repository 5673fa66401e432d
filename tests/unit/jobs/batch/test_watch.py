from __future__ import annotations

import pytest

from restore_cli.jobs.batch.pipeline import Stop
from restore_cli.jobs.batch.report import Item
from restore_cli.jobs.batch.watch import Watch


@pytest.fixture
def look(tmp_path):
    """Scripted looks at a folder; each does something to it first."""

    class Look:
        def __init__(self):
            self.stop = Stop()
            self.steps = []

        def __call__(self):
            self.steps.pop(0)()
            self.stop.wanted = not self.steps
            return [Item(str(p), p.name, p.name) for p in sorted(tmp_path.glob("*.png"))]

        def run(self, *steps):
            self.steps = [*steps]
            watch = Watch(0.0, self.stop)
            return [[item.relative for item in ready] for ready in watch.arrivals(self)]

    return Look()


def nothing():
    pass


def test_a_file_is_taken_when_it_has_stopped_growing(look, tmp_path):
    path = tmp_path / "a.png"
    steps = [
        lambda: path.write_bytes(b"1"),
        lambda: path.write_bytes(b"12"),
        lambda: path.write_bytes(b"123"),
        nothing,
        nothing,
    ]
    assert look.run(*steps) == [["a.png"]]
    assert not look.steps


def test_what_changes_is_taken_again(look, tmp_path):
    path = tmp_path / "a.png"
    steps = [
        lambda: path.write_bytes(b"1"),
        nothing,
        lambda: path.write_bytes(b"12"),
        nothing,
        nothing,
    ]
    assert look.run(*steps) == [["a.png"], ["a.png"]]


def test_several_and_removed_ones(look, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    assert look.run(nothing, nothing, (tmp_path / "a.png").unlink) == [["a.png", "b.png"]]


def test_it_ends_at_once_when_it_is_to_stop(look):
    look.stop.wanted = True
    assert look.run(nothing) == []
