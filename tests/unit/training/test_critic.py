from __future__ import annotations

import dataclasses

import pytest
import torch
from accelerate import Accelerator

from restore_cli.training.critic import Critic
from restore_cli.training.options import TrainOptions
from restore_cli.training.run import CHECKPOINT
from restore_cli.training.trainer import train
from tests.unit.training.test_recipes import narrow

CPU = TrainOptions(device="cpu")


@pytest.fixture
def config(vgg_file):
    config = narrow("formresnet-adversarial", vgg_file, ema_decay=0.9)
    return dataclasses.replace(config, schedule=dataclasses.replace(config.schedule, steps=6))


@pytest.fixture
def critic(config):
    return Critic(config, Accelerator(cpu=True))


def state(folder):
    return torch.load(folder / CHECKPOINT, weights_only=True)  # noqa: TID251


def test_it_learns_to_tell_restored_from_clean(critic):
    clean = torch.rand(4, 1, 32, 32)
    restored = torch.full_like(clean, 0.5)
    critic.set_rate(1e-3)
    losses = [critic.learn(restored, clean)["critic"].item() for _ in range(30)]
    assert losses[-1] < losses[0]


def test_its_verdict_reaches_the_images_but_not_itself(critic):
    restored = torch.rand(2, 1, 32, 32, requires_grad=True)
    critic.judge(restored).backward()
    assert restored.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.network.parameters())
    assert all(p.requires_grad for p in critic.network.parameters())


def test_learning_leaves_the_images_alone(critic):
    restored = torch.rand(2, 1, 32, 32, requires_grad=True)
    critic.learn(restored, torch.rand(2, 1, 32, 32))
    assert restored.grad is None


def test_a_bad_batch_teaches_nothing(critic):
    before = [p.clone() for p in critic.network.parameters()]
    critic.learn(torch.full((2, 1, 32, 32), float("nan")), torch.rand(2, 1, 32, 32))
    for old, new in zip(before, critic.network.parameters(), strict=True):
        torch.testing.assert_close(new.data, old.data, atol=0, rtol=0)


def test_both_networks_learn(config, photos, tmp_path):
    train(config, photos, tmp_path / "run", CPU)
    fresh = Critic(config, Accelerator(cpu=True)).network.state_dict()
    learned = state(tmp_path / "run")["critic"]
    assert learned["network"].keys() == fresh.keys()
    assert all(entry["step"] == 6 for entry in learned["optimizer"]["state"].values())


def test_a_resumed_run_equals_an_undisturbed_one(config, photos, tmp_path):
    """Six steps against three and three: both networks, both optimizers, bit for bit."""
    train(config, photos, tmp_path / "whole", CPU)

    def stop(event):
        if event.kind == "validation" and event.step == 3:
            raise KeyboardInterrupt

    parts = dataclasses.replace(config, validation=dataclasses.replace(config.validation, every=3))
    with pytest.raises(KeyboardInterrupt):
        train(parts, photos, tmp_path / "parts", CPU, stop)
    assert state(tmp_path / "parts")["progress"]["step"] == 3
    torch.manual_seed(99)  # whatever happens in between
    train(parts, photos, tmp_path / "parts", CPU)
    whole, resumed = state(tmp_path / "whole"), state(tmp_path / "parts")
    for part in ("network", "optimizer", "average", "critic"):
        torch.testing.assert_close(resumed[part], whole[part], atol=0, rtol=0)
