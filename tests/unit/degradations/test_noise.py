from __future__ import annotations

import pytest
import torch

from restore_cli.degradations.noise import demosaicked, poisson_gaussian


def test_variance_follows_the_formula():
    level = torch.tensor([0.0, 0.1, 0.5, 1.0]).view(4, 1, 1, 1).expand(4, 1, 400, 400)
    shot, read = torch.full((4,), 1e-3), torch.full((4,), 5e-3)
    noisy = poisson_gaussian(torch.Generator().manual_seed(0), level, shot, read)
    residual = noisy - level
    for i, x in enumerate((0.0, 0.1, 0.5, 1.0)):
        assert residual[i].var().item() == pytest.approx(1e-3 * x + 25e-6, rel=0.02)
        assert residual[i].mean().item() == pytest.approx(0, abs=3e-4)


def test_no_noise_changes_nothing():
    x = torch.rand(1, 3, 8, 8)
    nothing = torch.zeros(1)
    torch.testing.assert_close(poisson_gaussian(torch.Generator(), x, nothing, nothing), x)


def test_demosaicking_keeps_what_is_smooth():
    even = torch.full((6, 3, 10, 12), 0.3)
    seen = demosaicked(torch.Generator().manual_seed(0), even)
    torch.testing.assert_close(seen, even)


def test_demosaicking_measures_one_colour_a_pixel():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(8, 3, 16, 16)
    kept = (demosaicked(generator, noise) == noise).float().mean(dim=(0, 2, 3))
    torch.testing.assert_close(kept, torch.tensor([0.25, 0.5, 0.25]))
