from __future__ import annotations

import pytest
import torch

from restore_cli.jobs.bench.timing import interleaved, probes, warm_up

CPU = torch.device("cpu")


def test_every_other_round_goes_backwards():
    order, done = [], []
    runs = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved(runs, 3, CPU, done.append)
    assert "".join(order) == "abccbaabc"
    assert done == [1, 2, 3]
    assert list(seconds) == ["a", "b", "c"]
    assert all(len(values) == 3 and min(values) >= 0 for values in seconds.values())


def test_warming_up_gives_the_result():
    assert warm_up(lambda: 5, CPU) == 5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_probes_say_what_they_compute(precision):
    before = torch.get_num_threads()
    convolution, product = probes(CPU, precision, threads=1)
    try:
        images, matrices = convolution.run(), product.run()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    n, c, height, width = images[0].shape
    assert convolution.gflop == pytest.approx(
        len(images) * 2 * 9 * c * c * n * height * width / 1e9
    )
    assert product.gflop == pytest.approx(len(matrices) * 2 * len(matrices[0]) ** 3 / 1e9)
    assert images[0].dtype == matrices[0].dtype
    assert (convolution.precision, product.precision) == (precision, precision)
