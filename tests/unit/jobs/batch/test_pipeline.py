from __future__ import annotations

import threading

import pytest

from restore_cli.jobs.batch.pipeline import Pipeline, Stop, StoppedError


class Stages:
    """Numbers through three stages; remembers what came where, and in which thread."""

    def __init__(self):
        self.seen = {name: [] for name in ("prepare", "compute", "finish", "drop")}
        self.threads = {}
        self.hooks = {}

    def _take(self, name, number):
        self.seen[name].append(number)
        self.threads.setdefault(name, set()).add(threading.current_thread().name)
        return self.hooks.get(name, lambda number: number)(number)

    def prepare(self, number):
        return self._take("prepare", number)

    def compute(self, number):
        self._take("compute", number)

    def finish(self, number):
        self._take("finish", number)

    def drop(self, number):
        self._take("drop", number)


@pytest.fixture
def stages():
    return Stages()


@pytest.fixture
def stop():
    return Stop()


def test_values(stages, stop):
    Pipeline(stages, stop).run(range(50))
    assert all(stages.seen[name] == list(range(50)) for name in ("prepare", "compute", "finish"))
    assert stages.threads["compute"] == {threading.current_thread().name}
    assert len(set.union(*stages.threads.values())) == 3


def test_what_needs_no_work_goes_no_further(stages, stop):
    stages.hooks["prepare"] = lambda number: number if number % 2 else None
    Pipeline(stages, stop).run(range(6))
    assert stages.seen["finish"] == [1, 3, 5]


def test_reading_and_writing_go_on_while_the_network_works(stages, stop):
    written, read = threading.Event(), threading.Event()
    stages.hooks["prepare"] = lambda number: (number, number == 2 and read.set())[0]
    stages.hooks["finish"] = lambda number: written.set()
    stages.hooks["compute"] = lambda number: (
        number != 1 or (read.wait(20) and written.wait(20)) or 1 / 0
    )
    Pipeline(stages, stop).run(range(3))
    assert stages.seen["finish"] == [0, 1, 2]


def test_stopping_finishes_what_is_computed_and_drops_the_rest(stages, stop):
    def compute(number):
        if number == 3:
            stop.wanted = True
            raise StoppedError

    stages.hooks["compute"] = compute
    Pipeline(stages, stop).run(range(1000))
    assert stages.seen["finish"] == [0, 1, 2]
    assert stages.seen["compute"] == [0, 1, 2, 3]
    assert stages.seen["prepare"] == [*range(3), *sorted(stages.seen["drop"])]


@pytest.mark.parametrize("stage", ["prepare", "compute", "finish"])
def test_errors_stop_everything_and_nothing_is_forgotten(stages, stop, stage):
    def fail(number):
        if number == 5:
            raise ZeroDivisionError
        return number

    stages.hooks[stage] = fail
    before = set(threading.enumerate())  # the engine of other tests keeps its workers
    with pytest.raises(ZeroDivisionError):
        Pipeline(stages, stop).run(range(1000))
    assert stop.wanted
    prepared = [number for number in stages.seen["prepare"] if (stage, number) != ("prepare", 5)]
    ended = [number for number in stages.seen["finish"] if (stage, number) != ("finish", 5)]
    assert sorted(ended + stages.seen["drop"]) == prepared
    assert set(threading.enumerate()) <= before


def test_an_error_among_the_tasks_is_raised(stages, stop):
    def tasks():
        yield 1
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        Pipeline(stages, stop).run(tasks())
    assert stages.seen["finish"] in ([1], [])
