import pytest
import torch
from torch import nn

from models import create_model
from models.blocks.attention import SupervisedAttention
from models.blocks.conv import ResidualBlock
from models.mprnet import Merge
from restore_cli.engine.fused import mprnet as parts
from restore_cli.engine.fused.blocks import BlockChain

NARROW = {"features": 8, "unet_growth": 8, "orsnet_growth": 8, "blocks_per_group": 2}
CLOSE = {"atol": 5e-5, "rtol": 1e-5}  # sums of many convolutions
BOTH = pytest.mark.parametrize("name", ["mprnet", "mprnet-local"])


@pytest.fixture(params=["on", "off"], autouse=True)
def kernels(request, monkeypatch):
    """Both ways of computing."""
    monkeypatch.setenv("RESTORE_KERNELS", request.param)
    torch.manual_seed(0)
    with torch.inference_mode():
        yield request.param


def features(channels, height=16, width=24):
    x = torch.randn(2, channels, height, width)
    return x.contiguous(memory_format=torch.channels_last)


def levels():
    return [features(8 + 8 * i, 16 >> i, 24 >> i) for i in range(3)]


def close_lists(results, expected):
    for result, wanted in zip(results, expected, strict=True):
        torch.testing.assert_close(result, wanted, **CLOSE)


@pytest.mark.parametrize("keep", [True, False])
def test_a_chain_works_in_the_memory_of_its_input(keep):
    blocks = nn.Sequential(ResidualBlock(8), ResidualBlock(8))
    x = features(8)
    before = x.clone()
    expected = blocks(x)
    result = BlockChain(blocks, torch.float32)(x, keep=keep)
    torch.testing.assert_close(result, expected, **CLOSE)
    assert (result.data_ptr() == x.data_ptr()) == (not keep)
    assert torch.equal(x, before) == keep


@BOTH
def test_encoders(name):
    network = create_model(name, NARROW).eval()
    first, second = network.encoders
    x, decoded = features(8), levels()
    expected = first(x)
    close_lists(parts.FusedEncoder(first, torch.float32)(x.clone()), expected)
    wanted = second(x, expected, decoded)
    kept = [tensor.clone() for tensor in (*expected, *decoded)]
    close_lists(parts.FusedEncoder(second, torch.float32)(x, expected, decoded), wanted)
    close_lists((*expected, *decoded), kept)


@BOTH
def test_a_decoder_keeps_what_the_next_stage_needs(name):
    decoder = create_model(name, NARROW).eval().decoders[1]
    encoded = levels()
    kept = [tensor.clone() for tensor in encoded]
    close_lists(parts.FusedDecoder(decoder, torch.float32)(encoded), decoder(kept))
    assert all(torch.equal(left, right) for left, right in zip(encoded, kept, strict=True))


def test_supervision():
    supervision = SupervisedAttention(8)
    x, degraded = features(8), features(3)
    kept = x.clone()
    fused = parts.FusedSupervision(supervision, torch.float32)
    close_lists(fused(x, degraded), supervision(kept, degraded))
    assert torch.equal(x, kept)


def test_merge():
    merge = Merge(8, 16)
    x, gated = features(8), features(8)
    result = parts.FusedMerge(merge, torch.float32)(x, gated)
    torch.testing.assert_close(result, merge(x, gated), **CLOSE)


@BOTH
def test_full_resolution_works_in_the_memory_of_its_input(name):
    part = create_model(name, NARROW).eval().full_resolution
    x, encoded, decoded = features(16), levels(), levels()
    expected = part(x, encoded, decoded)
    result = parts.FusedFullResolution(part, torch.float32)(x, encoded, decoded)
    torch.testing.assert_close(result, expected, **CLOSE)
    assert result.data_ptr() == x.data_ptr()
