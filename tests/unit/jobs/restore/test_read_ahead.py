from __future__ import annotations

import threading

import pytest

from restore_cli.jobs.restore.read_ahead import ReadAhead, WriteBehind


def test_everything_passes_in_order():
    written = []
    with (
        ReadAhead(range(50), may_hang=False) as items,
        WriteBehind(written.append, may_hang=False) as sink,
    ):
        for item in items:
            sink.put(item)
        sink.finish()
    assert written == list(range(50))
    assert items.error is None


def test_an_item_comes_before_the_next_is_there():
    release = threading.Event()

    def source():
        yield 1
        assert release.wait(30)
        yield 2

    with ReadAhead(source(), may_hang=False) as items:
        given = iter(items)
        assert next(given) == 1
        release.set()
        assert next(given) == 2


def test_it_does_not_read_far_ahead():
    taken = []

    def source():
        for index in range(100):
            taken.append(index)
            yield index

    with ReadAhead(source(), may_hang=False) as items:
        given = iter(items)
        for index in range(20):
            assert next(given) == index
            assert len(taken) <= index + 1 + 4  # two that wait, one in the hand, one on its way


def test_what_came_before_an_error_comes_first():
    def source():
        yield 1
        yield 2
        raise ValueError("broken")

    with ReadAhead(source(), may_hang=False) as items:
        assert list(items) == [1, 2]
    assert str(items.error) == "broken"


def test_an_error_in_writing_reaches_who_puts():
    def write(item):
        raise BrokenPipeError

    def write_all():
        with WriteBehind(write, may_hang=False) as sink:
            for index in range(100):
                sink.put(index)

    with pytest.raises(BrokenPipeError):
        write_all()
    with WriteBehind(write, may_hang=False) as sink:
        sink.put(1)
        with pytest.raises(BrokenPipeError):
            sink.finish()


def test_leaving_early_gives_up_what_waits():
    release = threading.Event()
    written = []

    def write(item):
        release.wait(30)
        written.append(item)

    def leave():
        with WriteBehind(write, may_hang=True) as sink:
            sink.put(1)
            sink.put(2)
            release.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert written in ([], [1], [1, 2])


def test_a_source_that_hangs_is_left_alone():
    never = threading.Event()

    def source():
        yield 1
        never.wait(30)

    with ReadAhead(source(), may_hang=True) as items:
        assert next(iter(items)) == 1
    never.set()
