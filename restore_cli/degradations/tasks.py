"""Which degradation a task undoes: what is done to sharp, clean photos to train for it."""

from __future__ import annotations

from typing import TypeAlias

from restore_cli.degradations.blur_chain import BlurChain
from restore_cli.degradations.dark_chain import DarkChain
from restore_cli.degradations.noise_chain import NoiseChain
from restore_cli.degradations.rain_chain import RainChain

Chain: TypeAlias = BlurChain | DarkChain | NoiseChain | RainChain

# A task that is not here (the loss of resolution of a real lens) is trained on pairs only.
CHAINS: dict[str, type[Chain]] = {
    "deblur": BlurChain,
    "denoise": NoiseChain,
    "derain": RainChain,
    "enhance": DarkChain,
}
