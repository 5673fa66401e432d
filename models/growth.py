"""Going on with a larger network from the weights of a smaller one of the same architecture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.base import RestorationModel
from models.blocks.conv import ResidualBlock

TRIAL_SIDE = 64
TOLERANCE = 1e-3  # of the output's largest value; sums of other lengths round differently


def load_smaller(network: RestorationModel, smaller: RestorationModel) -> None:
    """Copy weights so that the network computes what the smaller one does, and can learn more.

    Residual blocks that the smaller one does not have start as the identity. In convolutions that
    are wider, the old channels do not see the new ones yet; new channels keep the weights they
    have. A network of the same size is copied as it is; one with more scales does the same at each
    of them. Source: Chen et al., "Net2Net", ICLR 2016, arXiv:1511.05641, with zeros instead of
    copies.

    Args:
        network: the one to fill.
        smaller: of the same architecture, with fewer residual blocks or narrower convolutions.

    Raises:
        ValueError: it differs in something else, or in widths that meet in a concatenation, where
            channels would change places; the network may be partly filled.
    """
    state = smaller.state_dict()
    has_grown = _widen(network, state)
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    absent = set(missing)
    for name, module in network.named_modules():
        own = {f"{name}.{key}" for key in module.state_dict()}
        if isinstance(module, ResidualBlock) and own <= absent:
            absent -= own
            nn.init.zeros_(module.conv2.weight)
            if module.conv2.bias is not None:
                nn.init.zeros_(module.conv2.bias)
    if absent or unexpected:
        raise ValueError(f"{len(absent)} weights are missing, {len(unexpected)} have no place")
    if has_grown and not _agree(network, smaller):
        raise ValueError("channels change places when this network is widened")


def _widen(network: nn.Module, state: dict[str, Tensor]) -> bool:
    """Bring convolutions in ``state`` to the size they have in ``network``; tell if any grew."""
    has_grown = False
    for name, module in network.named_modules():
        key = f"{name}.weight"
        is_transposed = isinstance(module, nn.ConvTranspose2d)
        if not (is_transposed or isinstance(module, nn.Conv2d)) or key not in state:
            continue
        old, wide = state[key], module.weight.detach().clone()
        fits = all(a <= b for a, b in zip(old.shape, wide.shape, strict=True))
        if module.groups > 1 or old.shape == wide.shape or not fits:
            continue
        has_grown = True
        state[key] = wide
        if is_transposed:  # a kernel for each input before those for each output
            old, wide = old.transpose(0, 1), wide.transpose(0, 1)
        channels_out, channels_in = old.shape[:2]
        wide[:channels_out] = 0
        wide[:channels_out, :channels_in] = old
        if module.bias is not None:
            bias = module.bias.detach().clone()
            bias[:channels_out] = state[f"{name}.bias"]
            state[f"{name}.bias"] = bias
    return has_grown


@torch.no_grad()
def _agree(network: RestorationModel, smaller: RestorationModel) -> bool:
    """Return whether both make the same of noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, TRIAL_SIDE, TRIAL_SIDE, generator=generator)
    pairs = zip(network.at_one_scale(x), smaller.at_one_scale(x), strict=True)
    return all((a - b).abs().max() <= TOLERANCE * b.abs().max() for a, b in pairs)
