"""The state of one training run: what is trained, where it stands, and how it is kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn
from torch.optim import Optimizer

from models import RestorationModel, create_model
from models.growth import load_smaller
from restore_cli.engine.device import choose_device
from restore_cli.errors import UsageError, WeightsError
from restore_cli.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from restore_cli.training.config import TrainConfig, as_plain
from restore_cli.training.cpu import prepare_for_cpu
from restore_cli.training.critic import Critic
from restore_cli.training.ema import AveragedWeights
from restore_cli.training.objective import Objective, make_objective
from restore_cli.training.optim import make_optimizer
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import load_model, save_model

CHECKPOINT = "checkpoint.pt"
LAST = "last.safetensors"
BEST = "best.safetensors"


@dataclass(slots=True)
class Run:
    """One run in its folder. ``network`` is bare; ``wrapped`` is what Accelerate made of it."""

    config: TrainConfig
    folder: Path
    accelerator: Accelerator
    network: RestorationModel
    wrapped: RestorationModel
    optimizer: Optimizer
    objective: Objective
    average: AveragedWeights | None
    critic: Critic | None  # the discriminator of an adversarial run
    facts: Mapping[str, str | int | float]  # about data and device, for the card
    progress: Progress = field(default_factory=Progress)

    @property
    def result(self) -> RestorationModel:
        """The network to validate and to ship: the averaged one where there is one."""
        return self.network if self.average is None else self.average.network

    def settle_steps(self, samples: int) -> int:
        """Return the steps of the whole run: the recipe's, a resumed run's, or by its epochs."""
        schedule, begun = self.config.schedule, self.progress.steps
        if schedule.steps or not begun:
            begun = schedule.steps_for(samples, self.config.phases[0].batch)
        self.progress.steps = begun
        return begun

    def set_rate(self, share: float) -> None:
        """Set the learning rate of everything that learns to a share of the recipe's."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.optimizer.lr * share
        if self.critic is not None:
            self.critic.set_rate(self.config.critic.lr * share)

    def save(self, *, is_best: bool = False) -> None:
        """Write checkpoint and weights; only the main process of several does."""
        if not self.accelerator.is_main_process:
            return
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
            "recipe": as_plain(self.config),
        }
        if self.average is not None:
            state["average"] = self.average.network.state_dict()
        if self.critic is not None:
            state["critic"] = self.critic.state_dict()
        save_checkpoint(self.folder / CHECKPOINT, state)
        save_model(self.folder / LAST, self.result, self.card())
        if is_best:
            save_model(self.folder / BEST, self.result, self.card())

    def resume(self) -> None:
        """Continue from the checkpoint in the folder.

        Raises:
            WeightsError: the checkpoint is damaged or belongs to another network.
        """
        path = self.folder / CHECKPOINT
        state = load_checkpoint(path, self.accelerator.device)
        try:
            self.network.load_state_dict(state["network"])
            if self.average is not None:
                self.average.network.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.critic is not None:
                self.critic.load_state_dict(state["critic"])
            self.progress = Progress(**state["progress"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise WeightsError(
                "holds another network than the recipe describes",
                path=path,
                hint="use the recipe it was made with, or another --output folder",
            ) from error

    def card(self) -> ModelCard:
        """Return the card of the weights as they are now."""
        config = self.config
        return ModelCard(
            name=config.name,
            architecture=config.architecture,
            config=config.model_values(),
            task=config.task,
            summary=config.summary,
            licence=config.licence,
            version=config.version,
            border=config.border,
            training={
                "recipe": config.name,
                "steps": self.progress.step,
                "patches": self.progress.patches,
                "hours": round(self.progress.elapsed_s / 3600, 2),
                "date": time.strftime("%Y-%m-%d"),
                **self.facts,
            },
        )


def start_run(
    config: TrainConfig,
    folder: Path,
    device: str,
    facts: Mapping[str, str | int | float],
    weights: Path | None = None,
) -> Run:
    """Build network, optimizer and average, from fresh weights, a file, or the folder's checkpoint.

    Args:
        config: the recipe.
        folder: where the run is kept; made if missing, continued if it holds a checkpoint.
        device: as ``choose_device`` takes it; which GPU is Accelerate's own choice.
        facts: about data and device, for the card.
        weights: a file to start from; ignored when a checkpoint is continued.

    Raises:
        UsageError: the weights file has another network than the recipe.
        WeightsError: weights or checkpoint cannot be read, or the loss needs weights that are not
            there.
    """
    # Left to choose the CPU itself, Accelerate would not let several processes learn as one.
    is_cpu = choose_device(device).type == "cpu"
    accelerator = Accelerator(cpu=is_cpu, mixed_precision=config.precision)
    network = create_model(config.architecture, config.config)
    if config.initial_std:
        _draw_weights(network, config.initial_std)
    if config.start_from_identity:
        network.start_from_identity()
    if weights is not None:
        _copy_weights(weights, network, config)
    network.to(accelerator.device)
    optimizer = make_optimizer(network.parameters(), config.optimizer)
    average = AveragedWeights(network, config.ema_decay) if config.ema_decay else None
    if accelerator.device.type == "cpu":
        prepare_for_cpu(network, config.precision)
    wrapped, optimizer = accelerator.prepare(network, optimizer)
    critic = Critic(config, accelerator) if config.loss.adversarial else None
    objective = make_objective(config, critic, accelerator.device)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(
        config, folder, accelerator, network, wrapped, optimizer, objective, average, critic, facts
    )
    if (folder / CHECKPOINT).exists():
        run.resume()
    return run


def _draw_weights(network: nn.Module, std: float) -> None:
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            # Cut off at two deviations, as TensorFlow draws it.
            nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std)


def _copy_weights(path: Path, network: RestorationModel, config: TrainConfig) -> None:
    source, card = load_model(path)
    try:
        if card.architecture != config.architecture:
            raise ValueError("another architecture")
        load_smaller(network, source)
    except ValueError as error:
        raise UsageError(
            f"is a {card.architecture} {dict(card.config)}, the recipe has {config.architecture} "
            f"{config.model_values()}",
            path=path,
            hint="it may only have more residual blocks, or wider levels that nothing concatenates",
        ) from error
