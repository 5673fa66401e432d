"""Going on with a deeper network from the weights of a shallower one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from models.blocks.conv import ResidualBlock


def load_shallower(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy weights; residual blocks that they do not have start as the identity.

    The network then computes what the shallower one did. A network of the same depth is copied as
    it is.

    Args:
        network: the one to fill.
        state: the weights of one that differs at most by having fewer residual blocks.

    Raises:
        ValueError: it differs in something else; the network may be partly filled.
    """
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
