from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.engine.kernels import amx
from restore_cli.engine.kernels.amx import Conv3x3, ResidualBlock, is_available

needs_amx = pytest.mark.skipif(not is_available(), reason="no AMX, or no kernels for it, here")

HALF_A_STEP = 2**-8  # of what bfloat16 rounds to, relative


def rounded(*shape):
    """Return random numbers that bfloat16 has."""
    return torch.randn(*shape).bfloat16()


def conv(channels_in, channels_out, bias=True):
    weight = rounded(channels_out, channels_in, 3, 3).float() / 2 ** (channels_in // 8).bit_length()
    return weight, 0.1 * torch.randn(channels_out) if bias else None


def exact(x, weight, bias, slope=None, add=None):
    """Return the convolution in float64."""
    bias = None if bias is None else bias.double()
    result = F.conv2d(x.double(), weight.double(), bias, padding=1)
    if slope is not None:
        result = torch.where(result < 0, slope * result, result)
    return result if add is None else result + add.double()


def assert_rounded_once(ours, wanted):
    assert ours.dtype == torch.bfloat16
    assert ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours.double(), wanted, rtol=HALF_A_STEP, atol=1e-5)


def block_of(channels, bias=True):
    first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=bias) for _ in range(2))
    for layer in (first, second):
        layer.requires_grad_(False)
        layer.weight.copy_(layer.weight.bfloat16())
    return first, second


def exact_block(first, second, slope, x):
    inside = exact(x, first.weight, first.bias, slope).bfloat16()  # as it is between them
    return exact(inside, second.weight, second.bias, None, x)


@needs_amx
@pytest.mark.parametrize(
    ("channels_in", "channels_out"),
    [(8, 8), (8, 64), (16, 16), (24, 40), (32, 16), (64, 64), (72, 8), (80, 48), (176, 128)],
)
def test_channel_counts(channels_in, channels_out):
    weight, bias = conv(channels_in, channels_out)
    x = rounded(1, channels_in, 11, 70)
    assert_rounded_once(Conv3x3(weight, bias)(x), exact(x, weight, bias))


@needs_amx
def test_widest():
    weight, bias = conv(512, 512)
    x = rounded(1, 512, 5, 9)
    torch.testing.assert_close(
        Conv3x3(weight, bias)(x).double(), exact(x, weight, bias), rtol=HALF_A_STEP, atol=1e-3
    )


SIZES = [(1, 1), (1, 9), (2, 3), (5, 5), (8, 3), (31, 33), (3, 15), (3, 16), (3, 17), (4, 150)]


@needs_amx
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels_out", [16, 32])
def test_sizes(size, batch, channels_out):
    weight, bias = conv(16, channels_out)
    x = rounded(batch, 16, *size)
    assert_rounded_once(Conv3x3(weight, bias)(x), exact(x, weight, bias))


@needs_amx
@pytest.mark.parametrize("slope", [None, 0.0, 0.2, 1.0, -0.5, 3.0])
@pytest.mark.parametrize("with_add", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_activation_then_addend(slope, with_add, with_bias):
    weight, bias = conv(16, 40, with_bias)
    x = rounded(2, 16, 13, 18)
    add = rounded(2, 40, 13, 18) if with_add else None
    ours = Conv3x3(weight, bias)(x, slope=slope, add=add)
    assert_rounded_once(ours, exact(x, weight, bias, slope, add))


@needs_amx
def test_result_in_the_memory_of_the_addend():
    weight, bias = conv(16, 48)
    x = rounded(2, 16, 20, 37)
    add = rounded(2, 48, 20, 37).contiguous(memory_format=torch.channels_last)
    wanted = exact(x, weight, bias, None, add)
    ours = Conv3x3(weight, bias)(x, add=add, in_place=True)
    assert ours.data_ptr() == add.data_ptr()
    assert_rounded_once(ours, wanted)


@needs_amx
@pytest.mark.parametrize("channels", [8, 16, 24, 48, 64, 112])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (9, 70)])
@pytest.mark.parametrize("bias", [False, True])
def test_block(channels, size, bias):
    first, second = block_of(channels, bias)
    x = rounded(3, channels, *size)
    ours = ResidualBlock(first, 0.2, second)(x)
    # Sums in another order may round what is inside to its neighbour.
    torch.testing.assert_close(
        ours.double(), exact_block(first, second, 0.2, x), rtol=HALF_A_STEP, atol=2e-3
    )


@needs_amx
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("size", [(130, 140), (5, 4000)])  # the latter in parts of a row each
def test_block_in_place(threads, size):
    first, second = block_of(32)
    block = ResidualBlock(first, 0.0, second)
    x = rounded(2, 32, *size).contiguous(memory_format=torch.channels_last)
    wanted = block(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = block(x, in_place=True)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(ours, wanted)
    assert ours.data_ptr() == x.data_ptr()


@needs_amx
def test_any_memory_format_and_nothing_written_to():
    weight, bias = conv(16, 16)
    wide, add = rounded(2, 16, 20, 24), rounded(2, 16, 12, 10)
    kept, kept_add = wide.clone(), add.clone()
    part = wide[:, :, 3:15, 5:15]
    assert_rounded_once(Conv3x3(weight, bias)(part, add=add), exact(part, weight, bias, None, add))
    ResidualBlock(*_with_slope(block_of(16)))(part)
    assert torch.equal(wide, kept)
    assert torch.equal(add, kept_add)


def _with_slope(convs):
    return convs[0], 0.1, convs[1]


@needs_amx
def test_threads_at_once_beside_onednn():
    """Whoever sets up the tiles of a thread finds them as they were set."""
    weights = [conv(16, 32), conv(64, 32)]
    images = [rounded(1, 16, 61, 70), rounded(1, 64, 61, 70)]
    wide = rounded(32, 64, 3, 3)
    convs = [Conv3x3(*weight) for weight in weights]
    jobs = [
        lambda: convs[0](images[0]),
        lambda: convs[1](images[1]),
        lambda: F.conv2d(images[1], wide, padding=1),
        lambda: images[1][0, 0] @ images[1][0, 1].T,
    ]
    alone = [job() for job in jobs]
    order = [0, 2, 1, 3, 3, 2, 0, 0, 1, 2] * 8
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: jobs[job](), order))
    for job, result in zip(order, together, strict=True):
        assert torch.equal(result, alone[job])


@needs_amx
@pytest.mark.parametrize(("channels_in", "channels_out"), [(8, 8), (16, 16), (24, 40), (80, 48)])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (23, 30)])
def test_gradients(channels_in, channels_out, size):
    weight, _ = conv(channels_in, channels_out)
    x, gradient = rounded(2, channels_in, *size), rounded(2, channels_out, *size)
    x_exact, weight_exact = x.double().requires_grad_(), weight.double().requires_grad_()
    F.conv2d(x_exact, weight_exact, padding=1).backward(gradient.double())
    assert_rounded_once(amx.input_gradient(gradient, weight), x_exact.grad)
    of_weight, of_bias = amx.weight_gradient(x, gradient)
    for ours, wanted in (
        (of_weight, weight_exact.grad),
        (of_bias, gradient.double().sum((0, 2, 3))),
    ):
        assert ours.dtype == torch.float32
        assert (ours - wanted).abs().max() < 0.01 * wanted.abs().max()


@needs_amx
def test_gradient_through_a_gate_and_beside_another():
    weight, _ = conv(16, 24)
    gradient = rounded(2, 24, 9, 14)
    gate, add = rounded(2, 2, 16, 9, 14).unbind()
    gate[0, 0] = 0
    ungated = exact(gradient, weight.flip(2, 3).transpose(0, 1), None)
    for slope in (0.0, 0.25):
        wanted = torch.where(gate > 0, ungated, slope * ungated) + add
        ours = amx.input_gradient(gradient, weight, gate, add, slope=slope)
        assert_rounded_once(ours, wanted)


@needs_amx
def test_later_changes_to_weights_are_not_seen():
    weight, bias = conv(16, 16)
    x = rounded(1, 16, 8, 8)
    ours = Conv3x3(weight, bias)
    before = ours(x)
    weight.zero_()
    bias.zero_()
    assert torch.equal(ours(x), before)


@needs_amx
def test_no_image_at_all():
    assert Conv3x3(*conv(8, 16))(rounded(0, 8, 5, 5)).shape == (0, 16, 5, 5)


@pytest.mark.parametrize("channels", [(8, 16), (256, 256)])
def test_takes(channels):
    assert Conv3x3.takes(nn.Conv2d(*channels, 3, padding=1))


@pytest.mark.parametrize(
    ("channels", "options"),
    [((3, 16), {}), ((16, 20), {}), ((16, 16), {"stride": 2}), ((16, 16), {"groups": 2})],
)
def test_does_not_take(channels, options):
    assert not Conv3x3.takes(nn.Conv2d(*channels, 3, padding=1, **options))


def test_a_block_has_as_many_channels_all_along():
    layers = [nn.Conv2d(*channels, 3, padding=1) for channels in ((16, 16), (16, 24), (24, 16))]
    assert ResidualBlock.takes(layers[0], layers[0])
    assert not ResidualBlock.takes(layers[0], layers[1])
    assert not ResidualBlock.takes(layers[1], layers[2])


@needs_amx
def test_errors():
    with pytest.raises(ValueError, match=r"\(3, 16, 3, 3\)"):
        Conv3x3(torch.zeros(3, 16, 3, 3), None)
    with pytest.raises(ValueError, match="bias"):
        Conv3x3(torch.zeros(16, 16, 3, 3), torch.zeros(8))
    ours = Conv3x3(*conv(16, 8))
    for x in (rounded(1, 8, 4, 4), torch.zeros(1, 16, 4, 4)):
        with pytest.raises(ValueError, match="expected"):
            ours(x)
    with pytest.raises(ValueError, match="expected"):
        ours(rounded(1, 16, 4, 4), add=rounded(1, 8, 4, 5))


def test_switched_off(monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", "off")
    assert not is_available()


def test_no_library(monkeypatch, tmp_path):
    monkeypatch.setattr(amx, "LIBRARY", tmp_path / "absent.so")
    amx._library.cache_clear()
    try:
        assert not is_available()
        with pytest.raises(RuntimeError, match="not available"):
            Conv3x3(*conv(8, 8))(rounded(1, 8, 4, 4))
    finally:
        amx._library.cache_clear()
