from __future__ import annotations

import threading

from restore_cli.jobs.batch.read_ahead_limit import Gate


def go_on():
    return False


def stop():
    return True


def test_values():
    gate = Gate(100)
    assert gate.enter(60, stop)
    assert gate.enter(40, stop)
    assert not gate.enter(1, stop)
    gate.leave(60)
    assert gate.enter(60, stop)


def test_what_is_too_large_comes_in_alone():
    gate = Gate(100)
    assert gate.enter(500, stop)
    assert not gate.enter(1, stop)
    gate.leave(500)
    assert gate.enter(1, stop)
    assert not gate.enter(500, stop)


def test_not_too_many():
    gate = Gate(100, most=2)
    assert gate.enter(1, stop)
    assert gate.enter(1, stop)
    assert not gate.enter(1, stop)


def test_waiting_ends_when_there_is_room():
    gate = Gate(100)
    gate.enter(100, go_on)
    came_in = threading.Event()
    thread = threading.Thread(target=lambda: gate.enter(50, go_on) and came_in.set())
    thread.start()
    assert not came_in.is_set()
    gate.leave(100)
    thread.join(20)
    assert came_in.is_set()
