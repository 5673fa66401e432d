"""Denoisers that need no training."""

from __future__ import annotations

from torch import Tensor, nn

KERNEL = 5  # pixels


class Bilateral(nn.Module):
    """A bilateral filter (kornia's): averages near pixels of like intensity, so that edges stay.

    The widths suit noise of about 25/255.

    Raises:
        ModuleNotFoundError: kornia is not installed; the message says how to get it.

    Source: Tomasi and Manduchi, "Bilateral filtering for gray and color images", ICCV 1998.
    """

    reach = KERNEL // 2  # pixels it looks at on each side

    def __init__(self, sigma_intensity: float = 0.1, sigma_px: float = 1.5) -> None:
        super().__init__()
        try:
            from kornia.filters import bilateral_blur
        except ModuleNotFoundError as error:
            hint = "pip install 'restore-cli[classical]'"
            raise ModuleNotFoundError(f"this network needs kornia: {hint}") from error
        self._blur = bilateral_blur
        self._sigma_intensity = sigma_intensity
        self._sigma_px = sigma_px

    def forward(self, x: Tensor) -> Tensor:
        """Return an image like ``x``, (N, C, H, W) of any size."""
        height, width = x.shape[-2:]
        # Reflection needs a border smaller than the image.
        padded = nn.functional.pad(x, [self.reach] * 4, mode="replicate")
        blurred: Tensor = self._blur(
            padded, KERNEL, self._sigma_intensity, (self._sigma_px, self._sigma_px)
        )
        inner = blurred[..., self.reach : self.reach + height, self.reach : self.reach + width]
        return inner
