"""Which degradation a task undoes: what is done to sharp, clean photos to train for it."""

from __future__ import annotations

from typing import TypeAlias

from restore_cli.degradations.chain import BlurChain
from restore_cli.degradations.noise_chain import NoiseChain

Chain: TypeAlias = BlurChain | NoiseChain

# A task that is not here (rain, darkness, the loss of resolution of a real lens) is trained on
# pairs only.
CHAINS: dict[str, type[Chain]] = {"deblur": BlurChain, "denoise": NoiseChain}
