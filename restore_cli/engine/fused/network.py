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
from models.blocks.activation import slope_of
from models.blocks.attention import ContextMean, SharesActivation
from models.blocks.conv import ResidualBlock
from models.mimo_unet import MIMOUNet
from models.mirnet import DualAttentionUnit
from models.mprnet import ThreeStages
from restore_cli.engine.fused import mimo_unet, mprnet
from restore_cli.engine.fused.blocks import FusedDualAttentionUnit, fused_block
from restore_cli.engine.fused.convolution import FusedConv, can_fuse
from restore_cli.engine.fused.means import FusedContextMean


def fused(network: RestorationModel, dtype: torch.dtype = torch.float32) -> RestorationModel:
    """Return a copy of a network that computes the same faster, on CPUs and for inference only.

    Args:
        network: left as it is; its weights are copied.
        dtype: of the convolutions: float32 or bfloat16.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if isinstance(network, MIMOUNet):
        mimo_unet.exchange_parts(network, dtype)
    elif isinstance(network, ThreeStages):
        mprnet.exchange_parts(network, dtype)
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
            setattr(module, name, fused_block(child, dtype))
        elif isinstance(child, ContextMean):
            setattr(module, name, FusedContextMean(child))
        elif isinstance(child, nn.Conv2d):
            if can_fuse(child):
                setattr(module, name, FusedConv(child, None, dtype))
        elif not isinstance(child, FusedConv):
            _exchange(child, dtype)


def _exchange_shared(
    module: nn.Module, name: str, block: SharesActivation, dtype: torch.dtype
) -> None:
    for child in block.children():
        if not isinstance(child, nn.Conv2d):  # its own convolutions are for what it becomes
            _exchange(child, dtype)
    slope = slope_of(block.activation)
    if slope is not None and isinstance(block, DualAttentionUnit):
        setattr(module, name, FusedDualAttentionUnit(block, slope, dtype))
    elif slope is not None:
        setattr(module, name, fused_block(block, dtype))


def _fold_normalization(layers: nn.Sequential) -> None:
    for i, (first, second) in enumerate(itertools.pairwise(list(layers))):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


def _fold_activation(layers: nn.Sequential, dtype: torch.dtype) -> None:
    places = [i for i, layer in enumerate(layers) if not isinstance(layer, nn.Identity)]
    for i, j in itertools.pairwise(places):
        conv, slope = layers[i], slope_of(layers[j])
        if isinstance(conv, nn.Conv2d) and can_fuse(conv) and slope is not None:
            layers[i], layers[j] = FusedConv(conv, slope, dtype), nn.Identity()
        elif isinstance(conv, nn.ConvTranspose2d) and slope is not None:
            layers[j] = nn.LeakyReLU(slope, inplace=True)  # in the memory of what it follows
