"""DiffResNet and FormResNet: networks that predict what is wrong and take it away.

After the papers, not verified against official code, which could not be had: depth, filters and
the number of stages follow what is known of it second-hand.

Source: Jiao et al., "FormResNet: Formatted Residual Learning for Image Restoration", CVPR
Workshops 2017, figures 1 and 2; and "FormNet: Formatted Learning for Image Restoration", IEEE
Transactions on Image Processing, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from models.base import RestorationModel
from models.blocks.classical import Bilateral


def _check_sizes(features: int, depth: int, channels: int) -> None:
    if features < 1:
        raise ValueError(f"features {features} is less than 1")
    if depth < 2:
        raise ValueError(f"depth {depth} is less than 2")
    if channels not in {1, 3}:
        raise ValueError(f"channels {channels} is neither 1 nor 3")


@dataclass(frozen=True, slots=True)
class DiffResNetConfig:
    """Size of a DiffResNet: one deep stage."""

    features: int = 64
    depth: int = 20  # convolutions
    channels: int = 1  # 1: each colour plane by itself; 3: colours together

    def __post_init__(self) -> None:
        _check_sizes(self.features, self.depth, self.channels)


@dataclass(frozen=True, slots=True)
class FormResNetConfig:
    """Size of a recursive FormResNet: stages one after the other, each with its own weights."""

    features: int = 64
    depth: int = 10  # convolutions in each stage
    stages: int = 2  # the formatting layer counts as one
    channels: int = 1  # 1: each colour plane by itself; 3: colours together
    formatting: str = "cnn"  # cnn: a stage like the others; bilateral: a classical denoiser

    def __post_init__(self) -> None:
        _check_sizes(self.features, self.depth, self.channels)
        if self.formatting not in {"cnn", "bilateral"}:
            raise ValueError(f"formatting {self.formatting!r} is neither cnn nor bilateral")
        if self.stages < 2:
            raise ValueError(f"stages {self.stages} is less than 2; a DiffResNet has one")


DIFFRESNET = DiffResNetConfig()
FORMRESNET = FormResNetConfig()


class DifferenceStage(nn.Module):
    """Predict the difference to the clean image, and take it away.

    Convolution, batch normalization and ReLU again and again; the last convolution stands alone,
    so that the difference may have either sign.
    """

    def __init__(self, features: int, depth: int, channels: int) -> None:
        super().__init__()
        self._channels = channels
        layers: list[nn.Module] = []
        for i in range(depth - 1):
            # The normalization that follows has a bias of its own.
            layers += [
                nn.Conv2d(features if i else channels, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers)
        self.tail = nn.Conv2d(features, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return an image like ``x``, (N, C, H, W), where C is a multiple of ``channels``."""
        images = x.reshape(-1, self._channels, *x.shape[-2:])
        difference: Tensor = self.tail(self.body(images))
        return x - difference.reshape(x.shape)


class DiffResNet(RestorationModel):
    """One image of the size of the input, (N, 3, H, W) of any size."""

    def __init__(self, config: DiffResNetConfig = DIFFRESNET) -> None:
        super().__init__()
        self.stage = DifferenceStage(config.features, config.depth, config.channels)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.stage(x),)

    def output_layers(self) -> tuple[nn.Module, ...]:
        return (self.stage.tail,)


class FormResNet(RestorationModel):
    """Two images of the size of the input, (N, 3, H, W) of any size.

    ``forward`` returns the final image and that of the first stage, the formatting layer, which
    leaves to the others what is structured and harder to tell from the image.
    """

    def __init__(self, config: FormResNetConfig = FORMRESNET) -> None:
        super().__init__()
        self.formatting: DifferenceStage | Bilateral = (
            Bilateral()
            if config.formatting == "bilateral"
            else DifferenceStage(config.features, config.depth, config.channels)
        )
        self.refining = nn.Sequential(
            *(
                DifferenceStage(config.features, config.depth, config.channels)
                for _ in range(config.stages - 1)
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        formatted: Tensor = self.formatting(x)
        return self.refining(formatted), formatted

    def output_layers(self) -> tuple[nn.Module, ...]:
        """Return the last layer of every learned stage, also of those that are not supervised."""
        refining = [self.get_submodule(f"refining.{i}.tail") for i in range(len(self.refining))]
        formatting = [self.formatting.tail] if isinstance(self.formatting, DifferenceStage) else []
        return *reversed(refining), *formatting


def diffresnet_halo(config: DiffResNetConfig) -> int:
    """Return how many pixels away an output pixel depends on: one for each convolution."""
    return config.depth


def formresnet_halo(config: FormResNetConfig) -> int:
    """Return how many pixels away an output pixel depends on: one for each convolution."""
    formatting = config.depth if config.formatting == "cnn" else Bilateral.reach
    return formatting + config.depth * (config.stages - 1)
