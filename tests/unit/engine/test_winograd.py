from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.engine.kernels import winograd
from restore_cli.engine.kernels.winograd import Conv3x3, is_available

AGREEMENT_DB = 115

needs_kernels = pytest.mark.skipif(not is_available(), reason="no compiled kernels here")


def conv(channels_in, channels_out, bias=True):
    weight = torch.randn(channels_out, channels_in, 3, 3) * (2 / (9 * channels_in)) ** 0.5
    return weight, 0.1 * torch.randn(channels_out) if bias else None


def exact(x, weight, bias):
    """Return the convolution in float64."""
    return F.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), padding=1)


def agreement_db(ours, wanted):
    assert ours.shape == wanted.shape
    assert ours.is_contiguous(memory_format=torch.channels_last)
    error = (ours.double() - wanted).square().mean()
    return float(10 * torch.log10(wanted.square().max() / error))


@needs_kernels
@pytest.mark.parametrize(
    ("channels_in", "channels_out"),
    [(8, 8), (8, 64), (16, 16), (24, 40), (64, 64), (72, 8), (80, 48), (96, 96), (176, 128)],
)
def test_channel_counts(channels_in, channels_out):
    weight, bias = conv(channels_in, channels_out)
    x = torch.randn(1, channels_in, 23, 30)
    assert agreement_db(Conv3x3(weight, bias)(x), exact(x, weight, bias)) > AGREEMENT_DB


@needs_kernels
def test_widest():
    weight, bias = conv(512, 512)
    x = torch.randn(1, 512, 20, 16)
    assert agreement_db(Conv3x3(weight, bias)(x), exact(x, weight, bias)) > AGREEMENT_DB


@needs_kernels
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (2, 3), (4, 4), (5, 5), (6, 7), (8, 3), (31, 33), (64, 64), (3, 150)]
)
def test_sizes(size, batch):
    weight, bias = conv(16, 24)
    x = torch.randn(batch, 16, *size)
    assert agreement_db(Conv3x3(weight, bias)(x), exact(x, weight, bias)) > AGREEMENT_DB


@needs_kernels
def test_every_pixel_of_many_blocks():
    weight, bias = conv(32, 32)
    x = torch.randn(2, 32, 97, 130)
    ours, wanted = Conv3x3(weight, bias)(x), exact(x, weight, bias)
    assert float((ours - wanted).abs().max()) < 1e-4


@needs_kernels
@pytest.mark.parametrize("slope", [None, 0.0, 0.2, 1.0, -0.5, 3.0])
@pytest.mark.parametrize("with_add", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_activation_then_addend(slope, with_add, with_bias):
    weight, bias = conv(16, 40, with_bias)
    x = torch.randn(2, 16, 13, 18)
    add = torch.randn(2, 40, 13, 18) if with_add else None
    wanted = exact(x, weight, bias)
    if slope is not None:
        wanted = torch.where(wanted < 0, slope * wanted, wanted)
    if add is not None:
        wanted = wanted + add.double()
    assert agreement_db(Conv3x3(weight, bias)(x, slope=slope, add=add), wanted) > AGREEMENT_DB


@needs_kernels
def test_any_memory_format_and_nothing_written_to():
    weight, bias = conv(16, 16)
    wide = torch.randn(2, 16, 20, 24)
    add = torch.randn(2, 16, 12, 10)
    kept, kept_add = wide.clone(), add.clone()
    part = wide[:, :, 3:15, 5:15]
    ours = Conv3x3(weight, bias)(part, add=add)
    last = Conv3x3(weight, bias)(
        part.contiguous(memory_format=torch.channels_last),
        add=add.contiguous(memory_format=torch.channels_last),
    )
    assert torch.equal(ours, last)
    assert agreement_db(ours, exact(part, weight, bias) + add.double()) > AGREEMENT_DB
    assert torch.equal(wide, kept)
    assert torch.equal(add, kept_add)


@needs_kernels
def test_later_changes_to_weights_are_not_seen():
    weight, bias = conv(16, 16)
    x = torch.randn(1, 16, 8, 8)
    ours = Conv3x3(weight, bias)
    before = ours(x)
    weight.zero_()
    bias.zero_()
    assert torch.equal(ours(x), before)


@needs_kernels
def test_no_image_at_all():
    assert Conv3x3(*conv(8, 16))(torch.randn(0, 8, 5, 5)).shape == (0, 16, 5, 5)


@needs_kernels
def test_threads_at_once():
    small, large = conv(16, 32), conv(64, 32)
    convs = [Conv3x3(*small), Conv3x3(*large)]
    images = [torch.randn(1, 16, 61, 70), torch.randn(1, 64, 61, 70)]
    alone = [conv(x) for conv, x in zip(convs, images, strict=True)]
    jobs = [0, 1, 0, 0, 1, 1, 0, 1] * 8
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: convs[job](images[job]), jobs))
    for job, ours in zip(jobs, together, strict=True):
        assert torch.equal(ours, alone[job])


@needs_kernels
@pytest.mark.parametrize(
    ("channels_in", "channels_out"), [(8, 8), (16, 16), (24, 40), (64, 64), (72, 8), (80, 48)]
)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (23, 30)])
def test_gradients(channels_in, channels_out, size):
    weight, _ = conv(channels_in, channels_out)
    x, gradient = torch.randn(2, channels_in, *size), torch.randn(2, channels_out, *size)
    x_exact, weight_exact = x.double().requires_grad_(), weight.double().requires_grad_()
    F.conv2d(x_exact, weight_exact, padding=1).backward(gradient.double())
    of_input = winograd.input_gradient(gradient, weight)
    assert agreement_db(of_input, x_exact.grad) > AGREEMENT_DB
    of_weight, of_bias = winograd.weight_gradient(x, gradient)
    for ours, wanted in (
        (of_weight, weight_exact.grad),
        (of_bias, gradient.double().sum((0, 2, 3))),
    ):
        assert (ours - wanted).square().mean() < 1e-11 * wanted.square().max()


@needs_kernels
def test_gradient_through_a_gate_and_beside_another():
    weight, _ = conv(16, 24)
    gradient = torch.randn(2, 24, 9, 14)
    gate, add = torch.randn(2, 2, 16, 9, 14).unbind()
    gate[0, 0] = 0
    ungated = exact(gradient, weight.flip(2, 3).transpose(0, 1), None) + add
    wanted = torch.where(gate > 0, ungated, add)
    ours = winograd.input_gradient(gradient, weight, gate, add)
    assert agreement_db(ours, wanted) > AGREEMENT_DB
    wanted = torch.where(gate > 0, wanted, 0.25 * (ungated - add) + add)
    ours = winograd.input_gradient(gradient, weight, gate, add, slope=0.25)
    assert agreement_db(ours, wanted) > AGREEMENT_DB


@needs_kernels
def test_gradients_can_be_repeated():
    x, gradient = torch.randn(2, 4, 64, 64, 64).unbind()
    first, _ = winograd.weight_gradient(x, gradient)
    for _ in range(20):
        assert torch.equal(winograd.weight_gradient(x, gradient)[0], first)


@pytest.mark.parametrize("channels", [(8, 16), (256, 256)])
def test_takes(channels):
    assert Conv3x3.takes(nn.Conv2d(*channels, 3, padding=1))


@pytest.mark.parametrize(
    ("channels", "side", "options"),
    [
        ((3, 16), 3, {}),
        ((16, 3), 3, {}),
        ((16, 20), 3, {}),
        ((8, 1024), 3, {}),
        ((16, 16), 1, {}),
        ((16, 16), 5, {}),
        ((16, 16), 3, {"padding": 0}),
        ((16, 16), 3, {"padding": "same"}),
        ((16, 16), 3, {"stride": 2}),
        ((16, 16), 3, {"dilation": 2}),
        ((16, 16), 3, {"groups": 2}),
        ((16, 16), 3, {"padding_mode": "reflect"}),
        ((16, 16), 3, {"dtype": torch.bfloat16}),
        ((16, 16), 3, {"device": "meta"}),
    ],
)
def test_does_not_take(channels, side, options):
    assert not Conv3x3.takes(nn.Conv2d(*channels, side, **{"padding": 1, **options}))


@needs_kernels
def test_errors():
    with pytest.raises(ValueError, match=r"\(3, 16, 3, 3\)"):
        Conv3x3(torch.zeros(3, 16, 3, 3), None)
    with pytest.raises(ValueError, match="bias"):
        Conv3x3(torch.zeros(16, 16, 3, 3), torch.zeros(8))
    ours = Conv3x3(*conv(16, 8))
    for x in (torch.zeros(1, 8, 4, 4), torch.zeros(1, 16, 4, 4, dtype=torch.float64)):
        with pytest.raises(ValueError, match="expected"):
            ours(x)
    with pytest.raises(ValueError, match="expected"):
        ours(torch.zeros(1, 16, 4, 4), add=torch.zeros(1, 8, 4, 5))


def test_switched_off(monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", "off")
    assert not is_available()


@pytest.fixture
def library_at(monkeypatch):
    """Let another file stand in for the library."""

    def put(path):
        monkeypatch.setattr(winograd, "LIBRARY", path)
        winograd._library.cache_clear()

    yield put
    winograd._library.cache_clear()


def test_no_library(library_at, tmp_path):
    library_at(tmp_path / "absent.so")
    assert not is_available()
    with pytest.raises(RuntimeError, match="not available"):
        Conv3x3(*conv(8, 8))(torch.zeros(1, 8, 4, 4))


def test_broken_library(library_at, tmp_path, caplog):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"\x7fELF and no more")
    library_at(broken)
    assert not is_available()
    assert "broken.so cannot be used" in caplog.text
