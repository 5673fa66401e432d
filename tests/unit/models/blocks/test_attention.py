from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.blocks.attention import (
    ChannelAttention,
    ChannelAttentionBlock,
    ContextMean,
    SelectiveFusion,
    SpatialAttention,
    SupervisedAttention,
    spread,
    window_at,
)


def local_mean(window, share=(1.0, 1.0)):
    mean = ContextMean(share)
    mean.set_window(window)
    return mean


def test_mean_of_the_whole():
    x = torch.rand(2, 3, 6, 10)
    torch.testing.assert_close(ContextMean()(x), x.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mean_of_a_whole_in_half_precision_is_rounded_once(dtype):
    x = (20 * torch.randn(2, 3, 300, 200) + 60).to(dtype)
    for image in (x, x.contiguous(memory_format=torch.channels_last)):
        wanted = image.double().mean((2, 3), keepdim=True)
        mean = ContextMean()(image)
        assert mean.dtype == dtype
        torch.testing.assert_close(mean.double(), wanted, rtol=torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 6, 8])
def test_mean_of_windows(window):
    x = torch.rand(2, 3, 6, 10)
    expected = F.avg_pool2d(x, (min(window, 6), window), stride=1)
    torch.testing.assert_close(local_mean(window)(x), expected)


@pytest.mark.parametrize(
    ("window", "means"),
    [(1, [0, 1, 2, 3, 4]), (2, [0.5, 1.5, 2.5, 3.5, 3.5]), (3, [1, 1, 2, 3, 3]), (5, [2])],
)
def test_windows_stay_inside(window, means):
    ramp = torch.arange(5.0).expand(1, 1, 5, 5)
    assert spread(local_mean(window)(ramp), ramp)[0, 0, 0].tolist() == pytest.approx(means)


def test_a_window_over_everything_is_the_whole_to_the_bit():
    x = torch.rand(1, 2, 6, 10)
    torch.testing.assert_close(local_mean(10)(x), ContextMean()(x), atol=0, rtol=0)


def test_windows_are_given_at_full_size():
    mean = local_mean(32, share=(0.25, 0.5))
    assert mean.window == (8, 16)
    assert window_at(1, 0.25) == 1
    mean.set_window(None)
    assert mean.window is None


def test_many_half_precision_numbers_do_not_overflow():
    x = torch.full((1, 1, 40, 4000), 60.0, dtype=torch.float16)
    inside = local_mean(64)(x)
    torch.testing.assert_close(inside, torch.full_like(inside, 60.0))


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("module", [ChannelAttention(8, 4), SpatialAttention()])
def test_attention_only_weakens(module, window):
    for part in module.modules():
        if isinstance(part, ContextMean):
            part.set_window(window)
    x = torch.rand(2, 8, 6, 7)
    y = module(x)
    assert y.shape == x.shape
    assert (y < x).all()
    assert (y > 0).all()


def test_local_attention_differs_from_place_to_place():
    module = ChannelAttention(8, 4)
    nn.init.constant_(module.squeeze.weight, 1.0)
    nn.init.constant_(module.excite.weight, 1.0)
    x = torch.ones(1, 8, 1, 12)
    x[..., 6:] = 2
    module.mean.set_window(4)
    gate = (module(x) / x)[0, 0, 0]
    torch.testing.assert_close(gate[0], torch.sigmoid(torch.tensor(2.0 * 8)))
    assert gate[0] < gate[-1]


def test_the_shared_slope_stays_shared_in_copies():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.activation = nn.PReLU()
            self.blocks = nn.Sequential(
                *(ChannelAttentionBlock(4, 2, self.activation) for _ in range(2))
            )

    network = copy.deepcopy(Network())
    assert [key for key in network.state_dict() if "activation" in key] == ["activation.weight"]
    network.activation.weight.data.fill_(3)
    for block in network.blocks:
        assert block._activation[0] is network.activation


def test_supervised_attention_values():
    module = SupervisedAttention(4)
    nn.init.zeros_(module.to_image.weight)
    nn.init.zeros_(module.to_gate.weight)
    x, degraded = torch.rand(1, 4, 5, 6), torch.rand(1, 3, 5, 6)
    gated, image = module(x, degraded)
    torch.testing.assert_close(image, degraded)
    torch.testing.assert_close(gated, x + module.features(x) / 2)


def test_selective_fusion_of_equal_streams_is_the_stream():
    x = torch.rand(2, 16, 4, 6)
    torch.testing.assert_close(SelectiveFusion(16, 3)([x, x, x]), x)


def test_selective_fusion_does_not_depend_on_the_batch():
    module, streams = SelectiveFusion(16, 2), torch.rand(2, 3, 16, 4, 6)
    together = module(list(streams))
    for i in range(3):
        torch.testing.assert_close(module(list(streams[:, i : i + 1])), together[i : i + 1])
