"""The state of one training run: what is trained, where it stands, and how it is kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch.optim import Optimizer

from models import RestorationModel, create_model
from models.registry import architecture
from restore_cli.errors import UsageError, WeightsError
from restore_cli.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from restore_cli.training.config import TrainConfig, as_plain
from restore_cli.training.ema import AveragedWeights
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
    average: AveragedWeights | None
    facts: Mapping[str, str | int | float]  # about data and device, for the card
    progress: Progress = field(default_factory=Progress)

    @property
    def stage_scales(self) -> tuple[float, ...]:
        """Sizes of the network's stages relative to its input."""
        return architecture(self.config.architecture).stage_scales

    @property
    def result(self) -> RestorationModel:
        """The network to validate and to ship: the averaged one where there is one."""
        return self.network if self.average is None else self.average.network

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
        device: cpu, or anything else for Accelerate's own choice.
        facts: about data and device, for the card.
        weights: a file to start from; ignored when a checkpoint is continued.

    Raises:
        UsageError: the weights file has another network than the recipe.
        WeightsError: weights or checkpoint cannot be read.
    """
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision=config.precision)
    network = create_model(config.architecture, config.config)
    if config.start_from_identity:
        network.start_from_identity()
    if weights is not None:
        _copy_weights(weights, network, config)
    network.to(accelerator.device)
    optimizer = make_optimizer(network.parameters(), config.optimizer)
    average = AveragedWeights(network, config.ema_decay) if config.ema_decay else None
    wrapped, optimizer = accelerator.prepare(network, optimizer)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(config, folder, accelerator, network, wrapped, optimizer, average, facts)
    if (folder / CHECKPOINT).exists():
        run.resume()
    return run


def _copy_weights(path: Path, network: RestorationModel, config: TrainConfig) -> None:
    source, card = load_model(path)
    if card.architecture != config.architecture or card.config != config.model_values():
        raise UsageError(
            f"is a {card.architecture} {dict(card.config)}, the recipe has {config.architecture} "
            f"{config.model_values()}",
            path=path,
        )
    network.load_state_dict(source.state_dict())
