from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from restore_cli.data.augment import Augmentation
from restore_cli.data.loaders import Phase
from restore_cli.degradations.blur_chain import BlurChain
from restore_cli.errors import RestoreError, UsageError, WeightsError
from restore_cli.imaging.image import Image
from restore_cli.imaging.reading import read_image
from restore_cli.imaging.writing import write_image
from restore_cli.training import trainer
from restore_cli.training.config import OptimizerConfig, TrainConfig, ValidationConfig
from restore_cli.training.objective import Objective
from restore_cli.training.options import TrainOptions
from restore_cli.training.run import BEST, CHECKPOINT, LAST
from restore_cli.training.schedule import ScheduleConfig
from restore_cli.training.trainer import train
from restore_cli.weights.files import load_model
from tests.unit.training.conftest import picture

CONFIG = TrainConfig(
    name="narrow",
    task="deblur",
    architecture="mimo-unet",
    licence="Apache-2.0",
    config={"width": 4, "blocks": 1, "dropout": 0.1},
    ema_decay=0.9,
    phases=(Phase(1.0, 32, 2),),
    augmentation=Augmentation(flips="all"),
    degradation=BlurChain(shake_extent=(2.0, 6.0), layer_extent=(1.0, 4.0), frames=5),
    optimizer=OptimizerConfig(lr=1e-3, clip_norm=1.0),
    schedule=ScheduleConfig(steps=6),
    validation=ValidationConfig(every=3, share=0.3, side=32),
)
CPU = TrainOptions(device="cpu")


def with_steps(steps, config=CONFIG):
    return dataclasses.replace(config, schedule=dataclasses.replace(config.schedule, steps=steps))


def weights(folder, name=LAST):
    return load_model(folder / name)[0].state_dict()


def test_every_parameter_moves_and_the_loss_falls(photos, tmp_path):
    events = []
    config = dataclasses.replace(with_steps(100), optimizer=OptimizerConfig(lr=3e-3))
    torch.manual_seed(config.seed)
    before = trainer.start_run(config, tmp_path / "fresh", "cpu", {}).network.state_dict()
    report = train(config, photos, tmp_path / "run", CPU, events.append)
    after = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["network"]  # noqa: TID251
    still = [name for name, value in before.items() if torch.equal(value, after[name])]
    assert still == []
    losses = [event.numbers["loss"] for event in events if event.kind == "step"]
    assert losses[-1] < losses[0]
    assert report.is_finished
    assert report.step == 100


def test_a_resumed_run_equals_an_undisturbed_one(photos, tmp_path):
    train(CONFIG, photos, tmp_path / "whole", CPU)
    stopped = train(CONFIG, photos, tmp_path / "parts", TrainOptions(device="cpu", max_time_s=0))
    assert stopped.step == 1
    assert not stopped.is_finished
    torch.manual_seed(99)  # whatever happens in between
    resumed = train(CONFIG, photos, tmp_path / "parts", CPU)
    assert resumed.step == 6
    for name, value in weights(tmp_path / "whole").items():
        torch.testing.assert_close(weights(tmp_path / "parts")[name], value, atol=0, rtol=0)


def test_an_interrupted_run_is_saved(photos, tmp_path):
    def interrupt(event):
        if event.kind == "validation":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, photos, tmp_path / "run", CPU, interrupt)
    state = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)  # noqa: TID251
    assert state["progress"]["step"] == 3


def test_pairs(pairs, tmp_path):
    report = train(with_steps(2), pairs, tmp_path / "run", CPU)
    assert 0 < report.psnr_in_db < 40


def test_held_back_squares_are_shown(photos, tmp_path):
    train(with_steps(2), photos, tmp_path / "run", CPU)
    side = CONFIG.validation.side
    sheet = read_image(tmp_path / "run" / "held_back.png").pixels
    assert sheet.shape == (side, 3 * side, 3)
    degraded, restored, clean = np.split(sheet, 3, axis=1)
    assert (degraded != clean).any()
    assert np.abs(restored - clean).mean() < 0.5


def test_epochs_become_steps_by_the_photos(photos, tmp_path):
    schedule = ScheduleConfig(epochs=2)  # of four photos one is held back; batches of two
    config = dataclasses.replace(CONFIG, schedule=schedule)
    assert train(config, photos, tmp_path / "run", CPU).step == 4


def test_a_folder_that_grows_does_not_stretch_a_run(photos, tmp_path):
    config = dataclasses.replace(CONFIG, schedule=ScheduleConfig(epochs=2))
    train(config, photos, tmp_path / "run", TrainOptions(device="cpu", max_time_s=0))
    for seed in range(10, 20):
        write_image(photos / f"{seed}.png", Image(pixels=picture(seed)))
    report = train(config, photos, tmp_path / "run", CPU)
    assert (report.step, report.steps) == (4, 4)


def test_checkpoints_from_before_steps_were_kept_go_on(photos, tmp_path):
    train(with_steps(1), photos, tmp_path / "run", CPU)
    path = tmp_path / "run" / CHECKPOINT
    state = torch.load(path, weights_only=True)  # noqa: TID251
    del state["progress"]["steps"]
    torch.save(state, path)
    assert train(with_steps(2), photos, tmp_path / "run", CPU).step == 2


def test_golden_losses(photos, tmp_path, update_golden, monkeypatch):
    """Loss of the first five steps of a narrow network; changes only on purpose."""
    rows = []
    real = Objective.__call__

    def record(*arguments):
        loss, parts = real(*arguments)
        rows.append(loss.item())
        return loss, parts

    monkeypatch.setattr(Objective, "__call__", record)
    train(with_steps(5), photos, tmp_path / "run", CPU)
    path = Path(__file__).parent / "golden_losses.json"
    if update_golden:
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    assert rows == pytest.approx(json.loads(path.read_text(encoding="utf-8")), rel=1e-3)


def test_files_of_a_run(photos, tmp_path):
    train(CONFIG, photos, tmp_path / "run", CPU)
    _, card = load_model(tmp_path / "run" / BEST)
    assert card.config == {"width": 4, "blocks": 1, "dropout": 0.1}
    assert card.training["recipe"] == "narrow"
    assert card.training["data"] == "4 sharp photos"
    assert card.training["patches"] in (6, 12)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "psnr_db" in row] == [3, 6, 6]
    assert not list((tmp_path / "run").glob(".*"))


def test_worse_weights_do_not_replace_the_best(photos, tmp_path, monkeypatch):
    scores = iter([30.0, 20.0, 10.0])
    monkeypatch.setattr(trainer.ValidationSet, "psnr_db", lambda *a: next(scores))
    report = train(CONFIG, photos, tmp_path / "run", CPU)
    assert report.best_psnr_db == 30.0
    assert load_model(tmp_path / "run" / BEST)[1].training["steps"] == 3
    assert load_model(tmp_path / "run" / LAST)[1].training["steps"] == 6


def test_fine_tuning_starts_from_the_weights(photos, tmp_path):
    train(CONFIG, photos, tmp_path / "first", CPU)
    options = TrainOptions(device="cpu", weights=tmp_path / "first" / LAST)
    run = trainer.start_run(CONFIG, tmp_path / "second", "cpu", {}, options.weights)
    for name, value in weights(tmp_path / "first").items():
        torch.testing.assert_close(run.network.state_dict()[name], value)
    wider = dataclasses.replace(CONFIG, config={"width": 8, "blocks": 1})
    with pytest.raises(UsageError, match="the recipe has"):
        train(wider, photos, tmp_path / "third", options)


def test_steps_without_a_finite_loss_are_left_out(photos, tmp_path, monkeypatch):
    real = Objective.__call__
    calls = []

    def sometimes_nan(*arguments):
        calls.append(1)
        loss, parts = real(*arguments)
        return (loss * float("nan") if len(calls) == 2 else loss), parts

    monkeypatch.setattr(Objective, "__call__", sometimes_nan)
    train(CONFIG, photos, tmp_path / "run", CPU)
    state = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)  # noqa: TID251
    assert state["progress"]["skipped"] == 1
    assert all(value.isfinite().all() for value in state["network"].values())


def test_a_loss_that_stays_nan_ends_the_run(photos, tmp_path, monkeypatch):
    real = Objective.__call__
    monkeypatch.setattr(trainer, "MAX_BAD_STEPS", 3)
    monkeypatch.setattr(Objective, "__call__", lambda *a: (real(*a)[0] * float("nan"), real(*a)[1]))
    with pytest.raises(RestoreError, match="3 steps in a row"):
        train(CONFIG, photos, tmp_path / "run", CPU)


def test_damaged_checkpoint(photos, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="cannot be resumed"):
        train(CONFIG, photos, tmp_path / "run", CPU)


def test_checkpoint_of_another_network(photos, tmp_path):
    train(with_steps(1), photos, tmp_path / "run", CPU)
    wider = dataclasses.replace(with_steps(2), config={"width": 8, "blocks": 1})
    with pytest.raises(WeightsError, match="another network"):
        train(wider, photos, tmp_path / "run", CPU)
