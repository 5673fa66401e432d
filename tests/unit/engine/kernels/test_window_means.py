from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from models.blocks.attention import ContextMean
from restore_cli.engine.fused.means import FusedContextMean
from restore_cli.engine.kernels import window_means

needs_library = pytest.mark.skipif(
    window_means._library() is None, reason="no AVX2, or no kernels for it, here"
)

# As far apart as sums in another order are, and a rounding to bfloat16.
TOLERANCES = {torch.float32: 2e-6, torch.bfloat16: 2**-8}


def image(batch, channels, height, width, dtype=torch.float32):
    x = 3 * torch.randn(batch, channels, height, width) + 1
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def exact(x, height, width):
    return F.avg_pool2d(x.double(), (height, width), stride=1)


@needs_library
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("channels", [1, 7, 16, 40])
@pytest.mark.parametrize("window", [(1, 1), (1, 5), (7, 1), (4, 6), (33, 20), (33, 70), (2, 70)])
def test_every_number_once(window, channels, threads, dtype, monkeypatch):
    monkeypatch.setattr("restore_cli.engine.kernels.threads._WORTH_A_THREAD", 1)
    x = image(2, channels, 33, 70, dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = window_means.window_means(x, *window)
    finally:
        torch.set_num_threads(before)
    assert ours.dtype == dtype
    wanted = exact(x, *window)
    assert ours.shape == wanted.shape
    tolerance = TOLERANCES[dtype]
    torch.testing.assert_close(ours.double(), wanted, rtol=tolerance, atol=4 * tolerance)


@needs_library
def test_long_sums_stay_right():
    """What entered and left again leaves nothing that could be seen."""
    x = image(1, 8, 2000, 40)
    ours = window_means.window_means(x, 64, 8)
    torch.testing.assert_close(
        ours[:, :, -1:], exact(x, 64, 8)[:, :, -1:].float(), rtol=0, atol=5e-6
    )


@needs_library
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_not_finite_is_seen(value):
    x = image(1, 8, 9, 9, torch.bfloat16)
    x[0, 3, 4, 4] = value
    ours = window_means.window_means(x, 3, 3)
    assert not ours[0, 3, 2:5, 2:5].isfinite().any()
    assert ours[0, :3].isfinite().all()


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("dtype", [*TOLERANCES, torch.float64])
@pytest.mark.parametrize("window", [None, 4, 10, 30])
def test_as_the_trained_mean(window, dtype, kernels, monkeypatch):
    monkeypatch.setenv("RESTORE_KERNELS", kernels)
    mean = ContextMean((1.0, 0.5))
    mean.set_window(window)
    x = image(2, 5, 12, 9, dtype)
    fused = FusedContextMean(mean)
    wanted = mean(x.double())
    tolerance = TOLERANCES.get(dtype, 1e-6)
    torch.testing.assert_close(fused(x).double(), wanted, rtol=tolerance, atol=4 * tolerance)
    assert window_means.can_take(x) == (
        kernels == "on" and dtype in TOLERANCES and window_means._library() is not None
    )


def test_planes_are_brought_into_order():
    mean = ContextMean()
    mean.set_window(4)
    x = image(1, 6, 9, 11).contiguous()
    torch.testing.assert_close(FusedContextMean(mean)(x), exact(x, 4, 4).float())
