"""The engine with a backend that is not PyTorch: it needs what the protocol says, and no more."""

import numpy as np
import pytest
import torch

from restore_cli.engine.planner import measure_speed, plan_tiles
from restore_cli.engine.restorer import Restorer


class Doubling:
    """Doubles every value, in numpy, and remembers what it was asked."""

    name = "numpy"
    device = torch.device("cpu")
    can_share = False
    bytes_per_pixel = 100

    def __init__(self, precision, workers=2, error=0.0):
        self.precision = precision
        self.workers = workers
        self.error = error
        self.shapes = []

    def restore(self, tiles, at_once):
        assert 1 <= at_once <= self.workers
        for tile in tiles:
            self.shapes.append(tuple(tile.shape))
            yield torch.from_numpy(2 * tile.numpy())

    def compare_with_fp32(self, image):
        return 2 * image + self.error, 2 * image

    def use_precision(self, precision):
        self.precision = precision


@pytest.fixture
def opened(monkeypatch):
    """Return a function that makes the engine use a backend, and those that it opened."""
    backends = []

    def use(**options):
        def open_backend(model, device, precision, *, tta):
            backends.append(Doubling(precision, **options))
            return backends[-1]

        monkeypatch.setattr("restore_cli.engine.restorer.open_backend", open_backend)
        return backends

    return use


@pytest.mark.parametrize("size", [(1, 1), (203, 301)])
def test_tiles_go_through_the_backend(opened, narrow, rng, size):
    backends = opened()
    pixels = rng.random((*size, 3), dtype=np.float32)
    restorer = Restorer(narrow, precision="fp32", tile=128, check=False)
    np.testing.assert_allclose(restorer(pixels), 2 * pixels, rtol=1e-6)
    (backend,) = backends
    sides = [side for shape in backend.shapes for side in shape[2:]]
    assert all(side % restorer.multiple_of == 0 for side in sides)
    assert max(sides) <= 128
    assert (restorer.backend, restorer.bytes_per_pixel) == ("numpy", 100)


@pytest.mark.parametrize(("error", "expected"), [(0.0, "bf16"), (0.01, "fp32")])
def test_an_automatic_precision_is_compared_with_fp32(
    opened, narrow, rng, monkeypatch, error, expected
):
    monkeypatch.setattr("restore_cli.engine.device.has_native_bf16", lambda: True)
    opened(error=error)
    restorer = Restorer(narrow, check=False)
    assert restorer.precision == "bf16"
    restorer(rng.random((30, 40, 3), dtype=np.float32))
    assert restorer.precision == expected


def test_plans_ask_the_backend(opened, narrow):
    backends = opened(workers=3)
    restorer = Restorer(narrow, precision="fp32", tile=128, check=False)
    plan = plan_tiles(restorer, 600, 600)
    assert (plan.at_once, plan.bytes_per_pixel) == (3, 100)
    assert measure_speed(restorer, plan) > 0
    assert backends[0].shapes
