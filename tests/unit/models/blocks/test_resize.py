from __future__ import annotations

import torch
from torch.nn import functional as F

from models.blocks.resize import (
    BlurPool,
    ResidualDown,
    ResidualUp,
    bilinear_double,
    blur_kernel,
    corner_double,
)


def test_blur_pool_values():
    # A ramp keeps its values under a symmetric kernel; its start is reflected.
    ramp = torch.arange(6.0).expand(2, 3, 6, 6)
    pooled = BlurPool()(ramp)
    assert pooled.shape == (2, 3, 3, 3)
    torch.testing.assert_close(pooled[0, 0, 0], torch.tensor([0.5, 2.0, 4.0]))
    assert blur_kernel().sum() == 1


def test_blur_pool_is_not_among_the_weights():
    assert not BlurPool().state_dict()


def test_resize_shapes():
    x = torch.rand(2, 8, 6, 10)
    assert ResidualDown(8)(x).shape == (2, 16, 3, 5)
    assert ResidualUp(8)(x).shape == (2, 4, 12, 20)


def test_the_residual_up_is_the_published_order():
    up, x = ResidualUp(8), torch.rand(1, 8, 5, 7)
    published = up.body(x) + F.conv2d(bilinear_double(x), up.skip.weight)
    torch.testing.assert_close(up(x), published)


def test_corner_double_values():
    x = torch.tensor([[1.0, 3.0], [5.0, 7.0]])[None, None]
    expected = [[1, 2, 3, 3], [3, 4, 5, 5], [5, 6, 7, 7], [5, 6, 7, 7]]
    assert corner_double(x)[0, 0].tolist() == expected


def test_corner_double_undoes_every_second_pixel():
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(corner_double(x)[..., ::2, ::2], x, atol=0, rtol=0)
    assert corner_double(x[..., :1, :1]).shape == (2, 3, 2, 2)
