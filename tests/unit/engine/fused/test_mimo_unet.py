import pytest
import torch
from torch import nn

from models.blocks.conv import UpConvReLU
from models.mimo_unet import FeatureAttention, MIMOUNet, MIMOUNetConfig, ShallowFeatures
from restore_cli.engine.fused import mimo_unet as parts
from restore_cli.engine.fused.convolution import FusedConv

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(params=["on", "off"], autouse=True)
def kernels(request, monkeypatch):
    """Both ways of computing; bands of a few rows, so that there are several."""
    monkeypatch.setenv("RESTORE_KERNELS", request.param)
    monkeypatch.setattr(parts, "_BAND_BYTES", 2**13)
    with torch.inference_mode():
        yield request.param


def features(channels, height=20, width=28, count=1):
    x = torch.randn(count, channels, height, width)
    return x.contiguous(memory_format=torch.channels_last)


def test_attention_works_in_the_memory_of_its_inputs():
    attention = FeatureAttention(8)
    x, shallow = features(8), features(8)
    expected = attention(x, shallow)
    result = parts.FusedFeatureAttention(attention, torch.float32)(x, shallow)
    torch.testing.assert_close(result, expected, **CLOSE)
    assert result.data_ptr() == x.data_ptr()


@pytest.mark.parametrize("count", [1, 2])
def test_shallow_features(count):
    shallow = ShallowFeatures(16)
    x = features(3, count=count)
    result = parts.FusedShallowFeatures(shallow, torch.float32)(x)
    torch.testing.assert_close(result, shallow(x), **CLOSE)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("level", [0, 1])
def test_up_and_merge_after_a_fusion(level, count):
    """What joins the decoder: three parts that are exchanged together."""
    network = MIMOUNet(MIMOUNetConfig(width=8, blocks=1)).eval()
    fusion, merge, up = (parts[level] for parts in (network.fusions, network.merges, network.ups))
    scales = [features(8 << i, 32 >> i, 48 >> i, count) for i in range(3)]
    deep = scales[level + 1].clone()
    terms = []
    for i, scale in enumerate(scales):
        fusion.add_term(terms, scale, i)
    expected = merge(up(deep), fusion(terms))

    fused = parts.FusedFeatureFusion(fusion, merge, torch.float32)
    gathered = []
    for i, scale in enumerate(scales):
        fused.add_term(gathered, scale, i)
    skip = fused(gathered)
    packed = parts.PackedUp(up, torch.float32)(deep)
    result = parts.FusedMerge(merge, torch.float32)(packed, skip)
    torch.testing.assert_close(result, expected, **CLOSE)
    assert gathered == []
    assert result.data_ptr() == skip.data_ptr()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 7)])
def test_four_pixels_lie_side_by_side(size, kernels):
    up = UpConvReLU(8, 16)
    x = features(8, *size)
    packed = parts.PackedUp(up, torch.float32)(x)
    expected = up(x)
    further = packed.shape[2] - size[0]
    assert further == (kernels == "off")
    for a in (0, 1):
        for b in (0, 1):
            own = packed[:, 16 * (2 * a + b) :][:, :16]
            own = own[:, :, a * further :, b * further :][:, :, : size[0], : size[1]]
            torch.testing.assert_close(own, expected[:, :, a::2, b::2], **CLOSE)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_convolution_adds_in_place(layout):
    conv = nn.Conv2d(16, 24, 3, padding=1)
    x, total = features(16), features(24).contiguous(memory_format=layout)
    expected = total + conv(x)
    result = FusedConv(conv, None, torch.float32).add_to(total, x)
    torch.testing.assert_close(result, expected, **CLOSE)
    assert result.data_ptr() == total.data_ptr()
