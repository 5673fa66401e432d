"""Stages × targets → one scalar to minimise, and its named parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.losses.edge import edge_loss
from models.losses.frequency import multi_scale_frequency_loss
from models.losses.gradient import sobel_loss
from models.losses.pixel import charbonnier_loss, multi_scale_content_loss, multi_scale_mse_loss
from models.losses.pyramid import scaled_targets, subsampled_targets
from models.registry import architecture
from restore_cli.training.config import LossConfig, TrainConfig
from restore_cli.training.critic import Critic
from restore_cli.training.perceptual import feature_loss

Images = Sequence[Tensor]
Term = Callable[[Images, Images], Tensor]  # stages, targets → loss

# How the target of a smaller stage is made, by architecture: as the network's own input at that
# size is. Networks that are not here take bilinear means.
TARGETS = {"pss-nsc": subsampled_targets}


def of_stages(loss: Callable[[Tensor, Tensor], Tensor]) -> Term:
    """Return the term that sums a loss over the stages."""

    def term(preds: Images, targets: Images) -> Tensor:
        return torch.stack([loss(p, t) for p, t in zip(preds, targets, strict=True)]).sum()

    return term


# By their name in a recipe; what needs a network of its own is added by make_objective.
TERMS: dict[str, Term] = {
    "content": multi_scale_content_loss,
    "frequency": multi_scale_frequency_loss,
    "charbonnier": of_stages(charbonnier_loss),
    "edge": of_stages(edge_loss),
    "mse": multi_scale_mse_loss,
    "gradient": of_stages(sobel_loss),
}


@dataclass(frozen=True, slots=True)
class Objective:
    """What a run minimises: losses by name, with their weights in the recipe."""

    config: LossConfig
    terms: Mapping[str, Term]
    scales: Sequence[float]  # of the stages, relative to the target
    targets: Callable[[Tensor, Sequence[float]], list[Tensor]] = scaled_targets

    def __call__(
        self, stages: Images, clean: Tensor, degraded: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of the losses, and each part before weighting.

        Args:
            stages: what the network returned, each (N, C, h, w), the final one first.
            clean: (N, C, H, W), the target at full size, intensities in [0, 1].
            degraded: as ``clean``; how far it is off sets a sample's weight if balanced.

        Raises:
            ValueError: the stages do not have the sizes of their scales.
        """
        preds, targets = [stage.float() for stage in stages], self.targets(clean, self.scales)
        if self.config.is_clamped:
            preds = [pred.clamp(0, 1) for pred in preds]
        if self.config.balance:
            # Every term here is homogeneous: scaling both images scales the sample's share of it.
            error = (degraded - clean).abs().mean(dim=(1, 2, 3), keepdim=True)
            weight = self.config.balance / (self.config.balance + error)
            preds, targets = [p * weight for p in preds], [t * weight for t in targets]
        parts = {name: term(preds, targets) for name, term in self.terms.items()}
        weighted = [part * getattr(self.config, name) for name, part in parts.items()]
        return torch.stack(weighted).sum(), parts


def make_objective(config: TrainConfig, critic: Critic | None, device: torch.device) -> Objective:
    """Return the objective of a recipe, with the networks that some of its terms look through.

    Raises:
        WeightsError: the weights of the feature term are not there, or are of another network.
    """
    terms = {name: term for name, term in TERMS.items() if getattr(config.loss, name)}
    if config.loss.feature:
        terms["feature"] = of_stages(feature_loss(config.loss.vgg, device))
    if critic is not None:
        # Only the result has to pass for clean; what leads to it may look like nothing known.
        terms["adversarial"] = lambda preds, targets: critic.judge(preds[0])
    return Objective(
        config.loss,
        terms,
        architecture(config.architecture).stage_scales,
        TARGETS.get(config.architecture, scaled_targets),
    )
