"""The contract every network keeps."""

from __future__ import annotations

from torch import Tensor, nn


class RestorationModel(nn.Module):
    """A network from degraded to restored images, both (N, C, H, W) float in [0, 1]."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return every supervised image, the final one first."""
        raise NotImplementedError

    def at_one_scale(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what ``forward`` makes of an image whose coarser scales have been dealt with."""
        stages: tuple[Tensor, ...] = self(x)
        return stages

    def restore(self, x: Tensor) -> Tensor:
        """Return the final image only, shaped like ``x`` and not clamped."""
        stages: tuple[Tensor, ...] = self(x)
        return stages[0]

    def output_layers(self) -> tuple[nn.Module, ...]:
        """Return the layers whose output is added to the input image, one per stage."""
        raise NotImplementedError

    def start_from_identity(self) -> None:
        """Zero the output layers, so that an untrained network returns its input."""
        for layer in self.output_layers():
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
