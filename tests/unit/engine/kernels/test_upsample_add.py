from __future__ import annotations

import pytest
import torch

from models.blocks.resize import bilinear_double
from restore_cli.engine.kernels import upsample_add
from restore_cli.engine.kernels.upsample_add import add_doubled, add_repeated, add_unpacked

needs_library = pytest.mark.skipif(
    upsample_add._library() is None, reason="no AVX-512 with bfloat16, or no kernels for it, here"
)


def channels_last(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape).to(dtype).contiguous(memory_format=torch.channels_last)


def pair(batch, channels, height, width, dtype=torch.bfloat16):
    small = channels_last(batch, channels, height, width, dtype=dtype)
    return channels_last(batch, channels, 2 * height, 2 * width, dtype=dtype), small


def exact(total, x):
    return total.double() + bilinear_double(x.double())


@needs_library
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("channels", [8, 16, 24, 64, 112])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 2), (33, 90)])
def test_rounded_once(channels, size, threads):
    total, x = pair(3, channels, *size)
    assert upsample_add._library_for(total, x) is not None
    wanted = exact(total, x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = add_doubled(total, x)
    finally:
        torch.set_num_threads(before)
    assert ours is total
    torch.testing.assert_close(ours.double(), wanted, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [5, 8])
def test_whatever_it_cannot_do_pytorch_does(channels, dtype, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    total, x = pair(2, channels, 6, 9, dtype)
    wanted = exact(total, x)
    place = total.data_ptr()
    ours = add_doubled(total, x)
    assert ours.data_ptr() == place
    tolerance = 1e-5 if dtype == torch.float32 else 2**-6
    torch.testing.assert_close(ours.double(), wanted, rtol=tolerance, atol=tolerance)


def test_planes_are_not_taken_for_pixels():
    total, x = (image.contiguous() for image in pair(1, 8, 4, 4))
    wanted = exact(total, x)
    torch.testing.assert_close(add_doubled(total, x).double(), wanted, rtol=2**-6, atol=2**-6)


TOLERANCES = {torch.float32: 1e-6, torch.bfloat16: 2**-7}


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("channels", [5, 8, 24, 32])
def test_repeated(channels, dtype, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    total, x = pair(2, channels, 5, 7, dtype)
    wanted = total.double() + x.double().repeat_interleave(2, 2).repeat_interleave(2, 3)
    place = total.data_ptr()
    ours = add_repeated(total, x)
    assert ours.data_ptr() == place
    torch.testing.assert_close(ours.double(), wanted, rtol=TOLERANCES[dtype], atol=1e-6)


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("channels", [5, 8, 24, 32])
@pytest.mark.parametrize("further", [0, 1])
def test_unpacked(further, channels, dtype, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    packed = torch.randn(2, 3 + further, 5 + further, 2, 2, channels).to(dtype)
    image = channels_last(2, channels, 12, 10, dtype=dtype)
    band, around = image[:, :, 4:10], image.clone()
    wanted = band.double()
    for row in range(6):
        for column in range(10):
            a, b = row % 2, column % 2
            i, j = row // 2 + a * further, column // 2 + b * further
            wanted[:, :, row, column] += packed[:, i, j, a, b].double()
    add_unpacked(band, packed)
    torch.testing.assert_close(
        band.double(), wanted.relu(), rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype]
    )
    for rows in (slice(0, 4), slice(10, 12)):
        assert torch.equal(image[:, :, rows], around[:, :, rows])
