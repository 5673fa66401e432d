"""Parts of MIMO-UNet that work in the memory of what they are given.

At full size its features are the largest tensors there are. The network hands each of them to one
part and never looks at it again, so that three of them at a time are enough.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.blocks.conv import ConvReLU, UpConvReLU
from models.mimo_unet import (
    FeatureAttention,
    FeatureFusion,
    Merge,
    MIMOUNet,
    ShallowFeatures,
    smaller,
)
from restore_cli.engine.fused.blocks import BlockChain
from restore_cli.engine.fused.convolution import FusedConv, as_kind, convolution, runs_on_winograd
from restore_cli.engine.kernels.upsample_add import CORNERS, add_repeated, add_unpacked
from restore_cli.engine.memory import give_back_freed_if_large

_BAND_BYTES = 4 * 2**20  # of what is merged at a time: about what a core's caches hold


def exchange_parts(network: MIMOUNet, dtype: torch.dtype) -> None:
    """Exchange parts of a network in evaluation for those below, which compute the same.

    The 1×1 convolution of kept features, in a merge, follows the last one of their fusion with
    nothing between: the two become one.
    """
    for levels in (network.encoders, network.decoders):
        for i, blocks in enumerate(levels):
            levels[i] = BlockChain(as_kind(nn.Sequential, blocks), dtype)
    for i in range(len(network.merges)):
        fusion = as_kind(FeatureFusion, network.fusions[i])
        merge = as_kind(Merge, network.merges[i])
        network.fusions[i] = FusedFeatureFusion(fusion, merge, dtype)
        network.merges[i] = FusedMerge(merge, dtype)
        network.ups[i] = PackedUp(as_kind(UpConvReLU, network.ups[i]), dtype)
        shallow = as_kind(ShallowFeatures, network.shallow[i])
        network.shallow[i] = FusedShallowFeatures(shallow, dtype)
        attention = as_kind(FeatureAttention, network.attention[i])
        network.attention[i] = FusedFeatureAttention(attention, dtype)


class FusedShallowFeatures(nn.Module):
    """:class:`ShallowFeatures` without anything side by side in memory."""

    def __init__(self, shallow: ShallowFeatures, dtype: torch.dtype) -> None:
        super().__init__()
        convs = [as_kind(nn.Conv2d, as_kind(ConvReLU, layer)[0]) for layer in shallow.body]
        *first, self.last = (FusedConv(conv, 0.0, dtype) for conv in convs)
        self.first = nn.Sequential(*first)
        project = shallow.project
        of_image, of_features = torch.split(project.weight, [3, project.in_channels - 3], dim=1)
        self.of_image = FusedConv(convolution(of_image, project.bias), None, dtype)
        self.of_features = FusedConv(convolution(of_features, None), None, dtype)

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        total: Tensor = self.of_image(x)
        for rows in _bands(total):
            self.of_features.add_to(total[:, :, rows], self.last(features[:, :, rows]))
        return total


class FusedFeatureAttention(nn.Module):
    """A :class:`FeatureAttention` in the memory of both its inputs."""

    def __init__(self, attention: FeatureAttention, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv = FusedConv(attention.conv, None, dtype)

    def forward(self, features: Tensor, shallow: Tensor) -> Tensor:
        return self.conv.add_to(features, shallow.mul_(features))


class FusedFeatureFusion(nn.Module):
    """A :class:`FeatureFusion` in the memory of its terms, and the merge's share of the result."""

    def __init__(self, fusion: FeatureFusion, merge: Merge, dtype: torch.dtype) -> None:
        super().__init__()
        self.level = fusion.level
        reduce = as_kind(nn.Conv2d, fusion.reduce[0])
        weights = torch.split(reduce.weight, fusion.widths, dim=1)
        self.terms = nn.ModuleList(
            FusedConv(convolution(weight, reduce.bias if i == self.level else None), None, dtype)
            for i, weight in enumerate(weights)
        )
        self.conv = FusedConv(_followed(fusion.conv, merge), None, dtype)

    def add_term(self, terms: list[Tensor], features: Tensor, scale: int) -> None:
        """Append or add what one scale adds; the first of its own in the memory of the features."""
        conv = as_kind(FusedConv, self.terms[scale])
        if scale != self.level:
            terms.append(conv(smaller(features, max(0, self.level - scale))))
        elif terms:
            terms.append(conv.add_to(terms.pop(), features))
        else:
            for rows in _bands(features):
                features[:, :, rows] = conv(features[:, :, rows])
            terms.append(features)

    def forward(self, terms: list[Tensor]) -> Tensor:
        """Return what the merge adds to, given the terms, of which the list is rid."""
        total = terms.pop()
        while terms:
            total = _add_enlarged(terms.pop(), total)
        give_back_freed_if_large(total)
        fused: Tensor = self.conv(total.relu_())
        return fused


class PackedUp(nn.Module):
    """A 4×4 transposed convolution of stride 2, as a convolution, then ReLU.

    Four pixels of the larger image, from top left to bottom right, lie one after the other in the
    channels of one pixel. Each of them is a 2×2 convolution of its own, with other neighbours.
    Winograd's 3×3 kernels do less for them; elsewhere they are as they are, of an image with one
    more row and column, for those below and on the right begin at the next pixel.

    Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016,
    arXiv:1609.07009.
    """

    def __init__(self, layer: UpConvReLU, dtype: torch.dtype) -> None:
        super().__init__()
        up = as_kind(nn.ConvTranspose2d, layer[0])
        weight = up.weight.detach().transpose(0, 1)  # (out, in, 4, 4)
        taps = weight.new_zeros(2, 2, *weight.shape[:2], 3, 3)
        for a, b in CORNERS:
            # Output 2m + a takes pixels m + a - 1 and m + a by the taps 3 - a and 1 - a.
            own = weight[:, :, [3 - a, 1 - a]][..., [3 - b, 1 - b]]
            taps[a, b, :, :, a : a + 2, b : b + 2] = own
        bias = None if up.bias is None else up.bias.detach().repeat(4)
        conv = convolution(taps.flatten(0, 2), bias, padding=1)
        if not runs_on_winograd(conv, dtype):
            pairs = [taps[a, b, :, :, a : a + 2, b : b + 2] for a, b in CORNERS]
            conv = convolution(torch.cat(pairs), bias, padding=1)
        self.conv = FusedConv(conv, 0.0, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 4 × out, h, w) or (N, 4 × out, h + 1, w + 1) of (N, in, h, w)."""
        packed: Tensor = self.conv(x)
        return packed


class FusedMerge(nn.Module):
    """A :class:`Merge` of what a :class:`PackedUp` gives, in the memory of what it adds to."""

    def __init__(self, merge: Merge, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv = FusedConv(convolution(_halves(merge)[0], None), None, dtype)

    def forward(self, packed: Tensor, skip: Tensor) -> Tensor:
        """Return ``skip``, (N, C, H, W), with the rest added and ReLU.

        Args:
            packed: (N, 4 × C, H / 2, W / 2), or a row and a column more.
            skip: what :class:`FusedFeatureFusion` gives.
        """
        n, channels, height, _ = skip.shape
        further = packed.shape[2] - height // 2
        # The four lie next to each other in memory, which to a 1×1 convolution are as many pixels.
        pixels = packed.permute(0, 2, 3, 1).reshape(n, packed.shape[2], -1, channels)
        for rows in _bands(packed[:, :, : height // 2]):
            part = self.conv(pixels[:, rows.start : rows.stop + further].permute(0, 3, 1, 2))
            count = rows.stop - rows.start
            part = part.permute(0, 2, 3, 1).reshape(n, count + further, -1, 2, 2, channels)
            add_unpacked(skip[:, :, 2 * rows.start : 2 * rows.stop], part)
        return skip


def _bands(x: Tensor) -> Iterator[slice]:
    """Yield rows of (N, C, H, W), as many at a time as caches hold."""
    height = x.shape[2]
    count = max(1, _BAND_BYTES * height // x.nbytes)
    for top in range(0, height, count):
        yield slice(top, min(top + count, height))


def _add_enlarged(total: Tensor, term: Tensor) -> Tensor:
    """Add to ``total`` a tensor of its size, or of half of it with each pixel repeated."""
    return total.add_(term) if term.shape == total.shape else add_repeated(total, term)


def _followed(conv: nn.Conv2d, merge: Merge) -> nn.Conv2d:
    """Return a 3×3 convolution followed by a merge's of what was kept, with the merge's bias."""
    weight = _halves(merge)[1][:, :, 0, 0].double()
    before, after = (
        layer.get_parameter("bias").double() for layer in (conv, as_kind(nn.Conv2d, merge[0]))
    )
    folded = torch.einsum("oc,cihw->oihw", weight, conv.weight.double())
    return convolution(folded.float(), (after + weight @ before).float(), padding=1)


def _halves(merge: Merge) -> tuple[Tensor, Tensor]:
    """Return the weights of a merge's inputs, from below and kept."""
    deep, kept = merge[0].get_parameter("weight").detach().chunk(2, dim=1)
    return deep, kept
