from __future__ import annotations

import json

import pytest

from restore_cli.training.config import load_recipe
from restore_cli.training.schedule import ScheduleConfig, rate
from tests.conftest import REPOSITORY

PUBLISHED = json.loads((REPOSITORY / "tests/parity/fixtures/schedules.json").read_text())

# What the authors trained with, by the name in the fixture: recipe, and what to change in it.
RUNS = {
    "mimo_unet": ("mimo-unet", {}),
    "mprnet_deblur": ("mprnet", {}),
    "mprnet_derain": ("mprnet-derain", {}),
    "mprnet_denoise": ("mprnet-denoise", {}),
    "mirnet": ("mirnet-denoise", {}),
    "pss_nsc_default": ("pss-nsc", {}),
    "pss_nsc_alldata": ("pss-nsc", {"schedule.steps": 2_464_000, "schedule.power": 1.0}),
}


def rates(schedule, *times):
    return [rate(schedule, time) for time in times]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if isinstance(PUBLISHED[name], dict)])
def test_published_learning_rates(name):
    config = load_recipe(*RUNS[name])
    published = PUBLISHED[name]
    if "epochs" in published:
        assert config.schedule.epochs == published["epochs"]
    else:
        assert config.schedule.steps == published["values"][-1][0]
    batch, pairs = config.phases[0].batch, 2103
    steps = config.schedule.steps_for(pairs, batch)
    in_epoch = steps // config.schedule.epochs if config.schedule.epochs else 1
    for when, lr in published["values"]:
        # Epochs count from 1, steps from 0; the rate holds from first to last step of an epoch.
        first = (when - 1) * in_epoch if config.schedule.epochs else when
        for step in {first, first + in_epoch - 1}:
            ours = config.optimizer.lr * rate(config.schedule, config.schedule.time(step, steps))
            assert ours == pytest.approx(lr, rel=PUBLISHED["tolerance_relative"], abs=1e-20)


def test_epochs_become_steps_by_the_samples():
    schedule = ScheduleConfig(epochs=3000)
    assert schedule.steps_for(samples=2103, batch=4) == 3000 * 526
    assert schedule.steps_for(samples=3, batch=16) == 3000


def test_steps_given_stretch_the_epochs():
    schedule = ScheduleConfig(epochs=5, steps=10)
    assert schedule.steps_for(samples=2103, batch=4) == 10
    assert [schedule.time(step, 10) for step in range(10)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_warmup_rises_in_even_steps():
    assert rates(ScheduleConfig(steps=9, warmup=4), 0, 1, 2, 3, 4) == [0.25, 0.5, 0.75, 1, 1]


def test_cosine():
    schedule = ScheduleConfig(kind="cosine", steps=100, final=0.1)
    assert rates(schedule, 0, 50, 100, 150) == pytest.approx([1, 0.55, 0.1, 0.1])


def test_multistep():
    schedule = ScheduleConfig(kind="multistep", steps=100, milestone=10)
    assert rates(schedule, 0, 9, 10, 29, 30) == [1, 1, 0.5, 0.25, 0.125]


def test_trapezoid():
    schedule = ScheduleConfig(kind="trapezoid", steps=100, decay_share=0.5)
    assert rates(schedule, 0, 50, 75, 100) == pytest.approx([1, 1, 0.5, 0])


def test_polynomial():
    schedule = ScheduleConfig(kind="polynomial", steps=100, power=0.5)
    assert rates(schedule, 0, 75, 100) == pytest.approx([1, 0.5, 0])


def test_a_period_may_end_before_or_after_the_run():
    schedule = ScheduleConfig(kind="cosine", steps=100, warmup=10, period=180, final=0.1)
    assert rates(schedule, 10, 100) == pytest.approx([1, 0.55])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "multistep", "steps": 1}, "milestone"),
        ({"kind": "zigzag"}, "zigzag"),
        ({}, "one of them must be 1 or more"),
        ({"steps": -1, "epochs": 3}, "one of them must be 1 or more"),
    ],
)
def test_errors(values, message):
    with pytest.raises(ValueError, match=message):
        ScheduleConfig(**values)
