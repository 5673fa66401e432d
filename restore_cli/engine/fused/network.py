"""Trained network → the same network for inference on a CPU, in fewer passes over memory.

Convolutions take up the activation or the sum that follows them. A network is never written down a
second time: its modules are exchanged one by one, and whatever no rule is about stays as it is.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.base import RestorationModel
from models.blocks.attention import ChannelAttentionBlock, SharesActivation
from models.blocks.conv import ResidualBlock
from models.mimo_unet import MIMOUNet
from models.mirnet import DualAttentionUnit
from models.mprnet_local import PlainBlock
from restore_cli.engine.fused.blocks import (
    FusedChannelAttentionBlock,
    FusedDualAttentionUnit,
    FusedResidualBlock,
)
from restore_cli.engine.fused.convolution import FusedConv, can_fuse
from restore_cli.engine.fused.mimo_unet import exchange_parts


def fused(network: RestorationModel, dtype: torch.dtype = torch.float32) -> RestorationModel:
    """Return a copy of a network that computes the same faster, on CPUs and for inference only.

    Args:
        network: left as it is; its weights are copied.
        dtype: of the convolutions: float32 or bfloat16.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if isinstance(network, MIMOUNet):
        exchange_parts(network, dtype)
    _exchange(network, dtype)
    return network


def _exchange(module: nn.Module, dtype: torch.dtype) -> None:
    """Exchange what is inside a module for what computes the same in fewer passes."""
    if isinstance(module, nn.Sequential):
        _fold_normalization(module)
        _fold_activation(module, dtype)
    for name, child in module.named_children():
        if isinstance(child, SharesActivation):
            _exchange_shared(module, name, child, dtype)
        elif isinstance(child, ResidualBlock):
            setattr(module, name, FusedResidualBlock(child, 0.0, dtype))
        elif isinstance(child, nn.Conv2d):
            if can_fuse(child):
                setattr(module, name, FusedConv(child, None, dtype))
        elif not isinstance(child, FusedConv):
            _exchange(child, dtype)


def _exchange_shared(
    module: nn.Module, name: str, block: SharesActivation, dtype: torch.dtype
) -> None:
    slope = _slope_of(block.activation)
    for child in block.children():
        if not isinstance(child, nn.Conv2d):  # its own convolutions are for what it becomes
            _exchange(child, dtype)
    if slope is None:
        return
    if isinstance(block, ChannelAttentionBlock):
        setattr(module, name, FusedChannelAttentionBlock(block, slope, dtype))
    elif isinstance(block, PlainBlock):
        setattr(module, name, FusedResidualBlock(block, slope, dtype))
    elif isinstance(block, DualAttentionUnit):
        setattr(module, name, FusedDualAttentionUnit(block, slope, dtype))


def _fold_normalization(layers: nn.Sequential) -> None:
    for i, (first, second) in enumerate(itertools.pairwise(list(layers))):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


def _fold_activation(layers: nn.Sequential, dtype: torch.dtype) -> None:
    places = [i for i, layer in enumerate(layers) if not isinstance(layer, nn.Identity)]
    for i, j in itertools.pairwise(places):
        conv, slope = layers[i], _slope_of(layers[j])
        if isinstance(conv, nn.Conv2d) and can_fuse(conv) and slope is not None:
            layers[i], layers[j] = FusedConv(conv, slope, dtype), nn.Identity()
        elif isinstance(conv, nn.ConvTranspose2d) and slope is not None:
            layers[j] = nn.LeakyReLU(slope, inplace=True)  # in the memory of what it follows


def _slope_of(layer: nn.Module) -> float | None:
    """Return what an activation multiplies negative numbers by; None if that is not all it does."""
    if isinstance(layer, nn.ReLU):
        return 0.0
    if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
        return float(layer.weight.item())
    return None
