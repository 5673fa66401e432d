import threading
import time

import pytest
import torch

from restore_cli.engine.backends.pytorch.runners import BatchRunner, CoreRunner
from restore_cli.errors import ResultError

CPU = torch.device("cpu")
RUNNERS = {"cores": lambda: CoreRunner(3), "one core": lambda: CoreRunner(1),
           "batches": lambda: BatchRunner(CPU, 3)}  # fmt: skip


@pytest.fixture(params=RUNNERS)
def runner(request):
    chosen = RUNNERS[request.param]()
    return lambda *arguments: chosen(*arguments, chosen.workers)


def windows(count, sizes=((4, 4),)):
    return [torch.full((1, 3, *sizes[i % len(sizes)]), float(i)) for i in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_order_is_kept(runner, count):
    def slow_at_first(x):
        time.sleep(0.002 * (count - float(x.max())))
        return x + 0.5

    results = list(runner(slow_at_first, pytest.fail, windows(count)))
    assert [float(x.mean()) for x in results] == [i + 0.5 for i in range(count)]
    assert all(x.shape == (1, 3, 4, 4) for x in results)


def test_few_windows_are_read_ahead(runner):
    read = []

    def source():
        for window in windows(20):
            read.append(window)
            yield window

    results = runner(torch.clone, pytest.fail, source())
    next(results)
    assert len(read) <= 7


def test_only_what_is_not_finite_is_done_again(runner):
    def breaks_on_2(x):
        return torch.where(x == 2, torch.nan, x)

    again = []
    results = list(runner(breaks_on_2, lambda x: again.append(x) or x * 10, windows(5)))
    assert [float(x.mean()) for x in results] == [0, 1, 20, 3, 4]
    assert len(again) == 1


def test_what_stays_broken_is_refused(runner):
    with pytest.raises(ResultError):
        list(runner(lambda x: x * torch.nan, lambda x: x * torch.nan, windows(5)))


def test_errors_come_through(runner):
    def fails(x):
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        list(runner(fails, pytest.fail, windows(5)))
    assert [len(list(runner(torch.clone, pytest.fail, windows(5))))] == [5], "it can go on"


def test_each_worker_has_one_thread():
    before = torch.get_num_threads()
    seen = set()

    def restore(x):
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        time.sleep(0.005)
        assert torch.is_inference_mode_enabled()
        return x

    list(CoreRunner(2)(restore, pytest.fail, windows(8), 2))
    assert len(seen) == 2
    assert {threads for _, threads in seen} == {1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("count", "at_once"), [(1, 2), (3, 1)])
def test_a_window_by_itself_has_all_threads(count, at_once):
    seen = []

    def restore(x):
        seen.append((threading.current_thread(), torch.get_num_threads()))
        return x

    list(CoreRunner(2)(restore, pytest.fail, windows(count), at_once))
    assert seen == [(threading.main_thread(), torch.get_num_threads())] * count


def test_batches_are_of_one_size():
    shapes = []
    sizes = ((4, 4), (4, 4), (4, 4), (4, 4), (2, 4))
    stream = windows(10, sizes)
    results = list(BatchRunner(CPU, 3)(lambda x: shapes.append(tuple(x.shape)) or x, pytest.fail,
                                       stream, 3))  # fmt: skip
    assert [shape[0] for shape in shapes] == [3, 1, 1, 3, 1, 1]
    for result, window in zip(results, stream, strict=True):
        torch.testing.assert_close(result, window, atol=0, rtol=0)
