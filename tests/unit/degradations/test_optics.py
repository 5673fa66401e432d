from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from restore_cli.degradations.optics import (
    convolve,
    disc_kernels,
    gaussian_kernels,
    line_kernels,
    oval_kernels,
)


def test_discs_sum_to_one_and_grow():
    discs = disc_kernels(torch.tensor([0.0, 1.0, 3.0]))
    torch.testing.assert_close(discs.sum(dim=(1, 2)), torch.ones(3))
    assert (discs > 0).sum(dim=(1, 2)).tolist() == sorted((discs > 0).sum(dim=(1, 2)).tolist())
    assert discs[0].max() == 1


def test_lines_have_their_length_width_and_direction():
    length, sigma = torch.tensor([20.0, 20.0, 5.0]), torch.tensor([0.5, 1.0, 0.5])
    lines = line_kernels(length, torch.tensor([0.0, torch.pi / 2, 0.0]), sigma)
    torch.testing.assert_close(lines.sum(dim=(1, 2)), torch.ones(3))
    axis = torch.arange(lines.shape[-1]) - lines.shape[-1] // 2.0
    down = (lines.sum(dim=2) * axis.square()).sum(dim=1).sqrt()
    across = (lines.sum(dim=1) * axis.square()).sum(dim=1).sqrt()
    # A straight line of length l has the deviation l / sqrt(12).
    assert [down[0].item(), across[1].item()] == pytest.approx([20 / 12**0.5] * 2, rel=0.15)
    assert [across[0].item(), down[1].item()] == pytest.approx([0.5, 1.0], rel=0.1)
    assert down[2] < down[0] / 2


def test_lines_slant_to_the_right_at_the_bottom():
    (line,) = line_kernels(torch.tensor([20.0]), torch.tensor([0.5]), torch.tensor([0.5]))
    axis = torch.arange(line.shape[-1]) - line.shape[-1] // 2.0
    assert (line * axis.view(1, -1) * axis.view(-1, 1)).sum() > 1


def test_values_are_a_true_convolution(rng):
    image = rng.random((17, 23)).astype(np.float32)
    kernel = rng.random((5, 5)).astype(np.float32)
    want = fftconvolve(np.pad(image, 2, mode="reflect"), kernel, mode="valid")
    got = convolve(torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None])[0, 0]
    np.testing.assert_allclose(got.numpy(), want, atol=1e-4)


def test_every_image_has_its_own_kernel():
    images = torch.rand(2, 3, 9, 9)
    kernels = torch.zeros(2, 3, 3)
    kernels[0, 1, 1] = 1  # leaves it
    kernels[1, 1, 2] = 1  # shifts it right by one
    blurred = convolve(images, kernels)
    torch.testing.assert_close(blurred[0], images[0])
    torch.testing.assert_close(blurred[1, :, :, 1:], images[1, :, :, :-1])


def test_errors():
    with pytest.raises(ValueError, match="even"):
        convolve(torch.rand(1, 1, 8, 8), torch.rand(1, 4, 4))


def test_gaussians_have_their_deviation():
    kernels = gaussian_kernels(torch.tensor([0.5, 1.0, 2.0]))
    torch.testing.assert_close(kernels.sum(dim=(1, 2)), torch.ones(3))
    axis = torch.arange(kernels.shape[1]) - kernels.shape[1] // 2
    deviation = (kernels.sum(dim=1) * axis.square()).sum(dim=1).sqrt()
    torch.testing.assert_close(deviation[1:], torch.tensor([1.0, 2.0]), atol=0.05, rtol=0)


def test_ovals_have_their_deviations_and_direction():
    sigma = torch.tensor([[3.0, 1.0], [3.0, 1.0], [2.0, 2.0]])
    ovals = oval_kernels(sigma, torch.tensor([0.0, torch.pi / 2, 1.0]))
    torch.testing.assert_close(ovals.sum(dim=(1, 2)), torch.ones(3))
    axis = torch.arange(ovals.shape[1]) - ovals.shape[1] // 2
    right = (ovals.sum(dim=1) * axis.square()).sum(dim=1).sqrt()
    down = (ovals.sum(dim=2) * axis.square()).sum(dim=1).sqrt()
    torch.testing.assert_close(right, torch.tensor([3.0, 1.0, 2.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(down, torch.tensor([1.0, 3.0, 2.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(ovals[2:], gaussian_kernels(sigma[:, 0])[2:], atol=1e-4, rtol=0)
    (slanted,) = oval_kernels(sigma[:1], torch.tensor([0.5]))
    assert (slanted * axis.view(1, -1) * axis.view(-1, 1)).sum() > 1, "down at the right"
