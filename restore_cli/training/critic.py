"""The discriminator of an adversarial run: it learns to tell restored images from clean ones."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from models.losses.adversarial import Discriminator, adversarial_loss, discriminator_loss
from restore_cli.training.config import TrainConfig
from restore_cli.training.optim import make_optimizer


class Critic:
    """A discriminator with its own optimizer, taught one batch a step."""

    def __init__(self, config: TrainConfig, accelerator: Accelerator) -> None:
        self.network = Discriminator(1 if config.is_grey else 3, config.critic.width)
        self.network.to(accelerator.device)
        settings = dataclasses.replace(config.optimizer, lr=config.critic.lr)
        optimizer = make_optimizer(self.network.parameters(), settings)
        self._accelerator = accelerator
        self._limit = settings.clip_norm or math.inf
        self._wrapped: nn.Module
        self._wrapped, self.optimizer = accelerator.prepare(self.network, optimizer)

    def judge(self, restored: Tensor) -> Tensor:
        """Return the loss of the network that is judged: low where its images pass for clean."""
        # The verdict is passed back to the images; the discriminator learns nothing from it.
        self.network.requires_grad_(False)
        loss = adversarial_loss(self.network(restored))
        self.network.requires_grad_(True)
        return loss

    def learn(self, restored: Tensor, clean: Tensor) -> dict[str, Tensor]:
        """Take one step on a batch of both kinds, and return its loss by name."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = discriminator_loss(self._wrapped(clean), self._wrapped(restored.detach().float()))
        self._accelerator.backward(loss)
        norm = self._accelerator.clip_grad_norm_(self.network.parameters(), self._limit)
        if math.isfinite(loss.item()) and norm is not None and math.isfinite(float(norm)):
            self.optimizer.step()
        return {"critic": loss.detach()}

    def set_rate(self, lr: float) -> None:
        """Set the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
