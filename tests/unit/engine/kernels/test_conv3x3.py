"""What the compiled 3×3 convolutions of all libraries promise alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restore_cli.engine.kernels import amx, winograd, winograd_bf16

HALF_A_STEP = 2**-8  # of what bfloat16 rounds to, relative
AGREEMENT_DB = 115  # of fp32's sums in another order


class Winograd:
    library = winograd
    Conv3x3 = winograd.Conv3x3
    files = ((winograd, "LIBRARY"), (winograd, "WIDE_LIBRARY"))

    @staticmethod
    def image(*shape):
        return torch.randn(*shape)

    @staticmethod
    def conv(channels_in, channels_out, bias=True):
        weight = torch.randn(channels_out, channels_in, 3, 3) * (2 / (9 * channels_in)) ** 0.5
        return weight, 0.1 * torch.randn(channels_out) if bias else None

    @staticmethod
    def assert_close(ours, wanted):
        assert (ours.dtype, ours.shape) == (torch.float32, wanted.shape)
        error = (ours.double() - wanted).square().mean()
        assert 10 * torch.log10(wanted.square().max() / error) > AGREEMENT_DB

    @staticmethod
    def assert_summed(ours, wanted):
        assert (ours - wanted).square().mean() < 1e-11 * wanted.square().max()


class AVX2Conv3x3(winograd.Conv3x3):
    @staticmethod
    def library():
        return winograd.narrow_library()


class AVX2Winograd(Winograd):
    """Which is taken where there is no AVX-512 only."""

    library = SimpleNamespace(
        is_available=lambda: winograd.is_available() and AVX2Conv3x3.library() is not None,
        weight_gradient=AVX2Conv3x3.weight_gradient,
    )
    Conv3x3 = AVX2Conv3x3


class AMX:
    library = amx
    Conv3x3 = amx.Conv3x3
    files = ((amx, "LIBRARY"),)

    @staticmethod
    def image(*shape):
        return torch.randn(*shape).bfloat16()

    @staticmethod
    def conv(channels_in, channels_out, bias=True):
        """Return a weight that bfloat16 has, and a bias."""
        weight = torch.randn(channels_out, channels_in, 3, 3).bfloat16().float()
        weight /= 2 ** (channels_in // 8).bit_length()
        return weight, 0.1 * torch.randn(channels_out) if bias else None

    @staticmethod
    def assert_close(ours, wanted):
        """Sums are rounded once, to the nearest."""
        assert ours.dtype == torch.bfloat16
        torch.testing.assert_close(ours.double(), wanted, rtol=HALF_A_STEP, atol=1e-5)

    @staticmethod
    def assert_summed(ours, wanted):
        """Products of what bfloat16 has are exact."""
        assert (ours - wanted).abs().max() < 1e-5 * wanted.abs().max()


class WinogradBF16(AMX):
    """Numbers between are in another basis, so what nearly cancels out is off by more."""

    library = winograd_bf16
    Conv3x3 = winograd_bf16.Conv3x3
    files = Winograd.files

    @staticmethod
    def assert_close(ours, wanted):
        assert ours.dtype == torch.bfloat16
        atol = 1e-5 * float(wanted.abs().amax()) if wanted.numel() else 0
        torch.testing.assert_close(ours.double(), wanted, rtol=HALF_A_STEP, atol=atol)

    assert_summed = Winograd.assert_summed


def where_available(kernels):
    is_absent = not kernels.library.is_available()
    return pytest.param(kernels, marks=pytest.mark.skipif(is_absent, reason="no such kernels here"))


ALL = (Winograd, AMX, WinogradBF16)

runs_here = pytest.mark.parametrize("kernels", [where_available(k) for k in (*ALL, AVX2Winograd)])
anywhere = pytest.mark.parametrize("kernels", ALL)


def exact(x, weight, bias, slope=None, add=None):
    """Return the convolution in float64."""
    bias = None if bias is None else bias.double()
    result = F.conv2d(x.double(), weight.double(), bias, padding=1)
    if slope is not None:
        result = torch.where(result < 0, slope * result, result)
    return result if add is None else result + add.double()


def assert_good(kernels, ours, wanted):
    assert ours.is_contiguous(memory_format=torch.channels_last)
    kernels.assert_close(ours, wanted)


@runs_here
@pytest.mark.parametrize("size", [(11, 70), (23, 30)])
@pytest.mark.parametrize(
    ("channels_in", "channels_out"),
    [
        (8, 8), (8, 64), (16, 16), (24, 40), (32, 16), (64, 64), (72, 8), (80, 48), (96, 96),
        (176, 128),
    ],
)  # fmt: skip
def test_channel_counts(kernels, channels_in, channels_out, size):
    weight, bias = kernels.conv(channels_in, channels_out)
    x = kernels.image(1, channels_in, *size)
    assert_good(kernels, kernels.Conv3x3(weight, bias)(x), exact(x, weight, bias))


SIZES = [
    (1, 1), (1, 9), (2, 3), (4, 4), (5, 5), (6, 7), (8, 3), (31, 33), (64, 64), (3, 15), (3, 16),
    (3, 17), (3, 150), (4, 150),
]  # fmt: skip


@runs_here
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels_out", [16, 24, 32])
def test_sizes(kernels, size, batch, channels_out):
    weight, bias = kernels.conv(16, channels_out)
    x = kernels.image(batch, 16, *size)
    assert_good(kernels, kernels.Conv3x3(weight, bias)(x), exact(x, weight, bias))


@runs_here
@pytest.mark.parametrize("slope", [None, 0.0, 0.2, 1.0, -0.5, 3.0])
@pytest.mark.parametrize("with_add", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_activation_then_addend(kernels, slope, with_add, with_bias):
    weight, bias = kernels.conv(16, 40, with_bias)
    x = kernels.image(2, 16, 13, 18)
    add = kernels.image(2, 40, 13, 18) if with_add else None
    ours = kernels.Conv3x3(weight, bias)(x, slope=slope, add=add)
    assert_good(kernels, ours, exact(x, weight, bias, slope, add))


@runs_here
def test_result_in_the_memory_of_the_addend(kernels):
    weight, bias = kernels.conv(16, 48)
    x = kernels.image(2, 16, 20, 37)
    add = kernels.image(2, 48, 20, 37).contiguous(memory_format=torch.channels_last)
    wanted = exact(x, weight, bias, None, add)
    ours = kernels.Conv3x3(weight, bias)(x, add=add, out=add)
    assert ours.data_ptr() == add.data_ptr()
    assert_good(kernels, ours, wanted)


@runs_here
def test_result_in_memory_that_is_given(kernels):
    weight, bias = kernels.conv(16, 48)
    x = kernels.image(2, 16, 20, 37)
    wanted = kernels.Conv3x3(weight, bias)(x, slope=0.1)
    room = torch.full_like(wanted, torch.nan)
    ours = kernels.Conv3x3(weight, bias)(x, slope=0.1, out=room)
    assert ours.data_ptr() == room.data_ptr()
    assert torch.equal(ours, wanted)
    with pytest.raises(ValueError, match="expected"):
        kernels.Conv3x3(weight, bias)(x, out=room[:1])


@runs_here
def test_any_memory_format_and_nothing_written_to(kernels):
    weight, bias = kernels.conv(16, 16)
    wide, add = kernels.image(2, 16, 20, 24), kernels.image(2, 16, 12, 10)
    kept, kept_add = wide.clone(), add.clone()
    part = wide[:, :, 3:15, 5:15]
    ours = kernels.Conv3x3(weight, bias)(part, add=add)
    last = kernels.Conv3x3(weight, bias)(
        part.contiguous(memory_format=torch.channels_last),
        add=add.contiguous(memory_format=torch.channels_last),
    )
    assert torch.equal(ours, last)
    assert_good(kernels, ours, exact(part, weight, bias, None, add))
    assert torch.equal(wide, kept)
    assert torch.equal(add, kept_add)


@runs_here
def test_later_changes_to_weights_are_not_seen(kernels):
    weight, bias = kernels.conv(16, 16)
    x = kernels.image(1, 16, 8, 8)
    ours = kernels.Conv3x3(weight, bias)
    before = ours(x)
    weight.zero_()
    bias.zero_()
    assert torch.equal(ours(x), before)


@runs_here
def test_no_image_at_all(kernels):
    ours = kernels.Conv3x3(*kernels.conv(8, 16))
    assert ours(kernels.image(0, 8, 5, 5)).shape == (0, 16, 5, 5)


@runs_here
def test_threads_at_once_beside_onednn(kernels):
    """Whoever sets up the processor's tiles for a thread finds them as they were set."""
    images = [kernels.image(1, channels, 61, 70) for channels in (16, 64)]
    wide = torch.randn(32, 64, 3, 3).bfloat16()
    convs = [kernels.Conv3x3(*kernels.conv(channels, 32)) for channels in (16, 64)]
    jobs = [
        lambda: convs[0](images[0]),
        lambda: convs[1](images[1]),
        lambda: F.conv2d(images[1].bfloat16(), wide, padding=1),
        lambda: images[1][0, 0].bfloat16() @ images[1][0, 1].bfloat16().T,
    ]
    alone = [job() for job in jobs]
    order = [0, 2, 1, 3, 3, 2, 0, 0, 1, 2] * 8
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: jobs[job](), order))
    for job, result in zip(order, together, strict=True):
        assert torch.equal(result, alone[job])


@runs_here
@pytest.mark.parametrize(
    ("channels_in", "channels_out"), [(8, 8), (16, 16), (24, 40), (64, 64), (72, 8), (80, 48)]
)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (23, 30)])
def test_gradient_of_the_input(kernels, channels_in, channels_out, size):
    weight, _ = kernels.conv(channels_in, channels_out)
    gradient = kernels.image(2, channels_out, *size)
    x = torch.zeros(2, channels_in, *size, dtype=torch.float64, requires_grad=True)
    F.conv2d(x, weight.double(), padding=1).backward(gradient.double())
    assert_good(kernels, kernels.Conv3x3.input_gradient(gradient, weight), x.grad)


@runs_here
@pytest.mark.parametrize(
    ("channels_in", "channels_out"),
    [(8, 8), (16, 16), (24, 40), (64, 64), (72, 8), (80, 48), (112, 112), (8, 136)],
)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (23, 30), (9, 31), (3, 33)])
def test_gradient_of_the_weight(kernels, channels_in, channels_out, size):
    x, gradient = kernels.image(3, channels_in, *size), kernels.image(3, channels_out, *size)
    weight = torch.zeros(channels_out, channels_in, 3, 3, dtype=torch.float64, requires_grad=True)
    F.conv2d(x.double(), weight, padding=1).backward(gradient.double())
    of_weight, of_bias = kernels.library.weight_gradient(x, gradient)
    for ours, wanted in (
        (of_weight, weight.grad),
        (of_bias, gradient.double().sum((0, 2, 3))),
    ):
        assert (ours.dtype, ours.shape) == (torch.float32, wanted.shape)
        kernels.assert_summed(ours, wanted)


@runs_here
@pytest.mark.parametrize("backwards", [False, True])
def test_weights_of_any_layout(kernels, backwards):
    weight, _ = kernels.conv(40, 24)
    strided = weight.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)
    wanted = kernels.Conv3x3.ordered(weight, backwards=backwards)
    assert torch.equal(kernels.Conv3x3.ordered(strided, backwards=backwards), wanted)
    assert torch.equal(kernels.Conv3x3.ordered(nn.Parameter(weight), backwards=backwards), wanted)


@runs_here
@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_gradient_through_a_gate_and_beside_another(kernels, slope):
    weight, _ = kernels.conv(16, 24)
    gradient = kernels.image(2, 24, 9, 14)
    gate, add = kernels.image(2, 2, 16, 9, 14).unbind()
    gate[0, 0] = 0
    ungated = exact(gradient, weight.flip(2, 3).transpose(0, 1), None)
    wanted = torch.where(gate > 0, ungated, slope * ungated) + add
    ours = kernels.Conv3x3.input_gradient(gradient, weight, gate, add, slope=slope)
    assert_good(kernels, ours, wanted)


@anywhere
@pytest.mark.parametrize("channels", [(16, 24), (256, 256)])
def test_takes(kernels, channels):
    assert kernels.Conv3x3.takes(nn.Conv2d(*channels, 3, padding=1))


def test_few_channels_are_left_to_onednn_in_bf16_without_amx():
    narrow = nn.Conv2d(8, 16, 3, padding=1)
    assert winograd.Conv3x3.takes(narrow)
    assert amx.Conv3x3.takes(narrow)
    assert not winograd_bf16.Conv3x3.takes(narrow)


@anywhere
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
def test_does_not_take(kernels, channels, side, options):
    assert not kernels.Conv3x3.takes(nn.Conv2d(*channels, side, **{"padding": 1, **options}))


@runs_here
def test_errors(kernels):
    with pytest.raises(ValueError, match=r"\(3, 16, 3, 3\)"):
        kernels.Conv3x3(torch.zeros(3, 16, 3, 3), None)
    with pytest.raises(ValueError, match="bias"):
        kernels.Conv3x3(torch.zeros(16, 16, 3, 3), torch.zeros(8))
    ours = kernels.Conv3x3(*kernels.conv(16, 8))
    fitting = kernels.image(1, 16, 4, 4)
    others = {torch.bfloat16, torch.float32, torch.float64} - {fitting.dtype}
    for x in (kernels.image(1, 8, 4, 4), *(fitting.to(dtype) for dtype in others)):
        with pytest.raises(ValueError, match="expected"):
            ours(x)
    with pytest.raises(ValueError, match="expected"):
        ours(kernels.image(1, 16, 4, 4), add=kernels.image(1, 8, 4, 5))
    for image, gradient in ((torch.float64, None), (None, torch.float64)):
        x, back = kernels.image(1, 16, 4, 4).to(image), kernels.image(1, 8, 4, 4).to(gradient)
        with pytest.raises(ValueError, match="expected"):
            kernels.library.weight_gradient(x, back)
    with pytest.raises(ValueError, match="expected"):
        kernels.library.weight_gradient(kernels.image(1, 16, 4, 4), kernels.image(1, 8, 4, 5))


@anywhere
def test_switched_off(kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", "off")
    assert not kernels.library.is_available()


@pytest.fixture
def library_at(monkeypatch):
    """Let another file stand in for a library."""

    def put(kernels, path):
        for module, name in kernels.files:
            monkeypatch.setattr(module, name, path)

    return put


@anywhere
def test_no_library(kernels, library_at, tmp_path):
    library_at(kernels, tmp_path / "absent.so")
    assert not kernels.library.is_available()
    with pytest.raises(RuntimeError, match="not available"):
        kernels.Conv3x3(*kernels.conv(8, 8))(kernels.image(1, 8, 4, 4))


@anywhere
def test_broken_library(kernels, library_at, tmp_path, caplog):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"\x7fELF and no more")
    library_at(kernels, broken)
    assert not kernels.library.is_available()
    assert "broken.so cannot be used" in caplog.text
