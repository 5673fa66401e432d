from __future__ import annotations

import threading

from restore_cli.jobs.batch.read_ahead_limit import ReadAheadLimit


def go_on():
    return False


def stop():
    return True


def test_values():
    limit = ReadAheadLimit(100)
    assert limit.enter(60, stop)
    assert limit.enter(40, stop)
    assert not limit.enter(1, stop)
    limit.leave(60)
    assert limit.enter(60, stop)


def test_what_is_too_large_comes_in_alone():
    limit = ReadAheadLimit(100)
    assert limit.enter(500, stop)
    assert not limit.enter(1, stop)
    limit.leave(500)
    assert limit.enter(1, stop)
    assert not limit.enter(500, stop)


def test_not_too_many():
    limit = ReadAheadLimit(100, most=2)
    assert limit.enter(1, stop)
    assert limit.enter(1, stop)
    assert not limit.enter(1, stop)


def test_waiting_ends_when_there_is_room():
    limit = ReadAheadLimit(100)
    limit.enter(100, go_on)
    came_in = threading.Event()
    thread = threading.Thread(target=lambda: limit.enter(50, go_on) and came_in.set())
    thread.start()
    assert not came_in.is_set()
    limit.leave(100)
    thread.join(20)
    assert came_in.is_set()
