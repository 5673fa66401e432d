"""Train a network: ``restore train --model mimo --data FOLDER``.

One process::

    restore train --model mimo --data photos/ --output runs/mimo

Several GPUs or hosts, the same command under torchrun or Accelerate::

    torchrun --nproc-per-node 4 -m restore_cli train --model mimo --data photos/ --output runs/mimo

Interrupted or out of time, the same command goes on where the run stood.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from restore_cli.data.loaders import Samples, StepBatches, make_loader, phase_at
from restore_cli.data.pairs import Listing
from restore_cli.engine.restorer import Restorer
from restore_cli.errors import RestoreError
from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from restore_cli.training.batches import make_batch
from restore_cli.training.config import TrainConfig
from restore_cli.training.options import TrainOptions
from restore_cli.training.run import Run, start_run
from restore_cli.training.run_log import RunLog
from restore_cli.training.schedule import rate
from restore_cli.training.sources import Source, check_data, hold_back, sources_of
from restore_cli.training.validation import ValidationSet, make_validation_set

LOG_EVERY = 50  # steps
AGREE_EVERY = 10  # steps between the moments when several processes compare their clocks
SHEET, SHEET_ROWS = "held_back.png", 4  # degraded, restored and clean squares
MAX_BAD_STEPS = 50  # in a row without a finite loss before the run gives up


@dataclass(frozen=True, slots=True)
class TrainEvent:
    """Something the user may want to see."""

    kind: Literal["start", "step", "validation", "saved"]
    step: int
    steps: int
    numbers: dict[str, float]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a session did."""

    folder: Path
    step: int
    steps: int
    is_finished: bool
    psnr_in_db: float
    psnr_db: float
    best_psnr_db: float
    elapsed_s: float


def train(
    config: TrainConfig,
    data: Path,
    folder: Path,
    options: TrainOptions | None = None,
    on_event: Callable[[TrainEvent], None] = lambda event: None,
) -> TrainReport:
    """Train by a recipe until its last step or the time is up; goes on where a run stood.

    Args:
        config: the recipe.
        data: a folder of pairs, or of sharp photos, which are then degraded by the recipe.
        folder: of the run: checkpoint, weights, log.
        options: device, time limit and the like.
        on_event: is called at every event; must be quick.

    Raises:
        UsageError: no images, no pairs where the recipe needs them, or weights of another network.
        ImageError: a photo cannot be read.
        WeightsError: the checkpoint or weights file cannot be used.
        RestoreError: the loss stays without a finite value.
        KeyboardInterrupt: passed on after the run has been saved.
    """
    options = options or TrainOptions()
    started = time.monotonic()
    listing = check_data(data)
    sources, held_back = hold_back(sources_of(listing, config), config.validation.share)
    facts = _facts(listing, len(held_back), options)
    torch.manual_seed(config.seed)
    run = start_run(config, folder, options.device, facts, options.weights)
    validation = make_validation_set(held_back, config.degradation, config.validation.side)
    steps = run.settle_steps(len(sources))
    log = RunLog(folder)
    on_event(TrainEvent("start", run.progress.step, steps, {"patches": run.progress.patches}))
    try:
        _loop(run, sources, validation, log, started, options, on_event)
    finally:
        log.close()
        run.save()
    psnr_in, psnr = validation.psnr_in_db(), _validate(run, validation, log, on_event)
    return TrainReport(
        folder=folder,
        step=run.progress.step,
        steps=steps,
        is_finished=run.progress.step >= steps,
        psnr_in_db=psnr_in,
        psnr_db=psnr,
        best_psnr_db=run.progress.best_psnr_db,
        elapsed_s=run.progress.elapsed_s,
    )


def _loop(
    run: Run,
    sources: Sequence[Source],
    validation: ValidationSet,
    log: RunLog,
    started: float,
    options: TrainOptions,
    on_event: Callable[[TrainEvent], None],
) -> None:
    config, progress, accelerator = run.config, run.progress, run.accelerator
    steps, schedule = progress.steps, config.schedule
    bad_in_a_row = 0
    tick = saved = time.monotonic()
    since_log: list[dict[str, float]] = []
    run.wrapped.train()
    for tensors in _read(run, sources, options.workers):
        step = progress.step
        time_now = schedule.time(step, steps)
        run.set_rate(rate(schedule, time_now))

        # The blur is made on the device, by a generator that belongs to this very step.
        crops = [tensor.to(accelerator.device) for tensor in tensors]
        degraded, clean = make_batch(config, crops, step, time_now + 1, accelerator.process_index)
        degraded = degraded.contiguous(memory_format=torch.channels_last)
        with accelerator.autocast():
            stages = run.wrapped(degraded)
        # A discriminator learns first, from the very images that the network is then judged by.
        judged = {} if run.critic is None else run.critic.learn(stages[0], clean)
        loss, parts = run.objective(stages, clean, degraded)
        accelerator.backward(loss)
        limit = config.optimizer.clip_norm or math.inf
        norm = accelerator.clip_grad_norm_(run.network.parameters(), limit)

        # A single bad batch must not poison the weights: the step is left out and counted.
        if math.isfinite(loss.item()) and norm is not None and math.isfinite(float(norm)):
            run.optimizer.step()
            bad_in_a_row = 0
            if run.average is not None:
                run.average.update(run.network, step)
        else:
            progress.skipped += 1
            bad_in_a_row += 1
        run.optimizer.zero_grad(set_to_none=True)
        if bad_in_a_row >= MAX_BAD_STEPS:
            raise RestoreError(
                f"the loss was not finite {MAX_BAD_STEPS} steps in a row",
                hint="lower optimizer.lr, or set optimizer.clip_norm",
            )

        now = time.monotonic()
        progress.step += 1
        progress.patches += phase_at(config.phases, step, steps).batch
        progress.elapsed_s += now - tick
        tick = now
        since_log.append(_numbers({"loss": loss, **parts, **judged}))
        if progress.step % LOG_EVERY == 0:
            _report(run, since_log, log, on_event)
            since_log = []
        if progress.step % config.validation.every == 0:
            _validate(run, validation, log, on_event)
        if now - saved > config.checkpoint_minutes * 60:
            run.save()
            saved = now
            on_event(TrainEvent("saved", progress.step, steps, {}))
        if _is_time_up(run, now - started > options.max_time_s):
            return


def _read(run: Run, sources: Sequence[Source], workers: int) -> DataLoader[Any]:
    """Return the crops of the steps to come, this process's share of each batch."""
    config, accelerator = run.config, run.accelerator
    chain = config.degradation if isinstance(sources[0], Path) else None
    samples = Samples(
        sources,
        config.augmentation,
        chain.margin if chain else 0,
        config.seed,
        in_passes=config.schedule.epochs > 0,
    )
    first, steps = run.progress.step, run.progress.steps
    rank, world = accelerator.process_index, accelerator.num_processes
    return make_loader(samples, StepBatches(config.phases, first, steps, rank, world), workers)


def _numbers(parts: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in parts.items()}


def _report(
    run: Run, rows: list[dict[str, float]], log: RunLog, on_event: Callable[[TrainEvent], None]
) -> None:
    progress, steps = run.progress, run.progress.steps
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    numbers = {
        **means,
        "lr": run.optimizer.param_groups[0]["lr"],
        "patches": progress.patches,
        "elapsed_s": round(progress.elapsed_s, 1),
        "skipped": progress.skipped,
    }
    if run.accelerator.is_main_process:
        log.write({"step": progress.step, **numbers})
        on_event(TrainEvent("step", progress.step, steps, numbers))


def _validate(
    run: Run, validation: ValidationSet, log: RunLog, on_event: Callable[[TrainEvent], None]
) -> float:
    """Measure the held-back photos, keep the weights if they are the best so far."""
    progress = run.progress
    # The engine users run; its colour check would only stop a run that is still astray.
    restorer = Restorer((run.result, run.card()), check=False)
    restored = validation.restored(restorer)
    psnr = validation.psnr_db(restored)
    numbers = {"psnr_in_db": validation.psnr_in_db(), "psnr_db": psnr}
    progress.history.append({"step": progress.step, **numbers})
    if run.accelerator.is_main_process:
        log.write({"step": progress.step, **numbers})
        write_image(run.folder / SHEET, Image(validation.sheet(restored, SHEET_ROWS)))
        on_event(TrainEvent("validation", progress.step, progress.steps, numbers))
    is_best = psnr > progress.best_psnr_db
    progress.best_psnr_db = max(psnr, progress.best_psnr_db)
    run.save(is_best=is_best)
    run.wrapped.train()
    return psnr


def _is_time_up(run: Run, is_mine_up: bool) -> bool:
    """Return whether any process is out of time; all of them must stop at the same step."""
    accelerator = run.accelerator
    if accelerator.num_processes == 1:
        return is_mine_up
    if run.progress.step % AGREE_EVERY:
        return False
    flag = torch.tensor(float(is_mine_up), device=accelerator.device)
    agreed: Any = accelerator.reduce(flag, reduction="sum")
    return bool(agreed.item() > 0)


def _facts(listing: Listing, held_back: int, options: TrainOptions) -> dict[str, str | int | float]:
    kind = f"{len(listing.pairs)} pairs" if listing.pairs else f"{len(listing.photos)} sharp photos"
    is_cuda = options.device != "cpu" and torch.cuda.is_available()
    device = torch.cuda.get_device_name() if is_cuda else f"CPU, {torch.get_num_threads()} threads"
    return {"data": kind, "held_back": held_back, "device": device}
