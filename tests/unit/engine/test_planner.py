from __future__ import annotations

import pytest

from restore_cli.engine.planner import (
    MemoryTooSmallError,
    TilePlan,
    fit,
    measure_speed,
    plan_tiles,
)
from restore_cli.engine.restorer import Restorer

MIB = 2**20


@pytest.fixture
def restorer(narrow):
    return Restorer(narrow, device="cpu", precision="fp32", check=False)


def test_values():
    plan = TilePlan(height=100, width=200, count=5, at_once=2, bytes_per_pixel=300)
    assert plan.host_bytes == 2 * 100 * 200 * 300
    assert plan.seconds(1e-3) == pytest.approx(3 * 20)  # the fifth is alone in its round
    one = TilePlan(100, 200, 1, 2, 300)
    assert one.host_bytes == 100 * 200 * 300
    on_device = TilePlan(100, 200, 5, 2, 3000, on_host=False)
    assert 0 < on_device.host_bytes < 2 * 100 * 200 * 3000


def test_the_plan_is_what_the_engine_does(restorer, rng):
    pixels = rng.random((200, 300, 3), dtype="float32")
    restorer.max_memory_bytes = 16 * MIB
    plan = plan_tiles(restorer, 200, 300)
    steps = []
    restorer(pixels, lambda *step: steps.append(step))
    assert plan.count == steps[-1][1] > 1


def test_tiles_of_coarser_images_count():
    coarser = TilePlan(100, 100, 3, 2, 300)
    plan = TilePlan(200, 100, 5, 2, 300, coarser=coarser)
    assert plan.host_bytes == 2 * 200 * 100 * 300
    assert plan.count_at_all_scales == 8
    assert plan.pixels == 5 * 200 * 100 + 3 * 100 * 100
    assert plan.seconds(1e-3) == pytest.approx(3 * 20 + 2 * 10)


def test_the_plan_of_several_scales_is_what_the_engine_does(two_scales, rng):
    restorer = Restorer(two_scales, device="cpu", precision="fp32", tile=256, check=False)
    plan = plan_tiles(restorer, 600, 500)
    steps = []
    restorer(rng.random((600, 500, 3), dtype="float32"), lambda *step: steps.append(step))
    assert plan.coarser is not None
    assert plan.count > plan.coarser.count > 1
    assert steps == [(step, len(steps)) for step in range(1, len(steps) + 1)]
    assert plan.count_at_all_scales == len(steps)


def test_memory_is_shared_until_all_fits(restorer):
    def beside(plan):
        return plan.height * 100_000

    plans = [fit(restorer, 2000, 2000, limit * MIB, beside) for limit in (1000, 200, 100)]
    for plan, limit in zip(plans, (1000, 200, 100), strict=True):
        assert plan.host_bytes + beside(plan) <= limit * MIB
        assert plan == plan_tiles(restorer, 2000, 2000) or limit != 100
    counts = [plan.count for plan in plans]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_errors(restorer):
    with pytest.raises(MemoryTooSmallError) as caught:
        fit(restorer, 2000, 2000, 50 * MIB, lambda _: 49 * MIB)
    need = caught.value.need_bytes
    assert need > 50 * MIB
    assert fit(restorer, 2000, 2000, need, lambda _: 49 * MIB).host_bytes <= need - 49 * MIB


def test_speed_is_measured_with_all_workers_on_tiles_that_are_not_too_large(restorer, monkeypatch):
    sizes = []
    original = restorer.restore_tiles

    def seen(tiles, at_once):
        tiles = list(tiles)
        assert at_once == len(tiles)
        sizes.append((len(tiles), *tiles[0].shape[-2:]))
        return original(tiles, at_once)

    monkeypatch.setattr(restorer, "restore_tiles", seen)
    assert 0 < measure_speed(restorer, TilePlan(160, 192, 9, 2, 100)) < 1
    assert sizes[-1] == (2, 160, 192)
    measure_speed(restorer, TilePlan(100_000, 100_000, 1, 2, 100))
    assert sizes[-1][0] == 1
    assert sizes[-1][2] == 1024
    assert 64 <= sizes[-1][1] < 10_000
