"""Distance between what a network trained to name objects sees in two images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.losses.pixel import check_same_shape

# The convolutions of VGG16 up to relu2_2, by their torchvision names; halved before the third.
_CONVOLUTIONS = (
    ("features.0", 3, 64),
    ("features.2", 64, 64),
    ("features.5", 64, 128),
    ("features.7", 128, 128),
)
_HALVED_BEFORE = "features.5"

# What the published weights expect to be subtracted and divided by, for each colour in [0, 1].
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class FeatureLoss(nn.Module):
    """Mean squared distance of VGG16 features at relu2_2.

    Source: Johnson et al. 2016, arXiv:1603.08155, equation 2; used by FormNet in its cross-level
    loss.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights from torchvision's VGG16; entries of deeper layers are left alone.

        Args:
            state: its state dict.

        Raises:
            ValueError: an entry is missing or of another shape; the message names the first one.
        """
        super().__init__()
        layers: list[nn.Module] = []
        for name, channels_in, channels_out in _CONVOLUTIONS:
            if name == _HALVED_BEFORE:
                layers.append(nn.MaxPool2d(2))
            conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
            for parameter in ("weight", "bias"):
                _fill(conv.get_parameter(parameter), state, f"{name}.{parameter}")
            layers += [conv, nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers).requires_grad_(False)
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1), persistent=False)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the distance; the gradient flows to ``pred`` only.

        Args:
            pred: (N, 3, H, W) or grey (N, 1, H, W), intensities in [0, 1], sides of at least 2.
            target: same shape as ``pred``.

        Raises:
            ValueError: the shapes differ, or another number of channels.
        """
        check_same_shape(pred, target)
        if pred.shape[1] not in {1, 3}:
            raise ValueError(f"{pred.shape[1]} channels are neither grey nor RGB")
        return F.mse_loss(self.features(pred), self.features(target.detach()))

    def features(self, x: Tensor) -> Tensor:
        """Return (N, 128, H/2, W/2), rounded down, of grey or RGB images."""
        features: Tensor = self.body((x.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return features


def _fill(parameter: nn.Parameter, state: Mapping[str, Tensor], key: str) -> None:
    if key not in state:
        raise ValueError(f"entry {key!r} is missing")
    if state[key].shape != parameter.shape:
        has, needs = tuple(state[key].shape), tuple(parameter.shape)
        raise ValueError(f"entry {key!r} has shape {has}, VGG16 needs {needs}")
    parameter.data.copy_(state[key])
