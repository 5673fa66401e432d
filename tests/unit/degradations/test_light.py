from __future__ import annotations

import torch

from restore_cli.degradations.light import lift_highlights, to_display, to_linear


def test_values():
    # IEC 61966-2-1: 18 % grey shows as 0.461, half the code values are 21.4 % of the light.
    torch.testing.assert_close(
        to_display(torch.tensor([0.18])), torch.tensor([0.4614]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        to_linear(torch.tensor([0.5])), torch.tensor([0.2140]), atol=1e-4, rtol=0
    )


def test_there_and_back():
    x = torch.linspace(0, 1, 1001)
    torch.testing.assert_close(to_display(to_linear(x)), x, atol=2e-6, rtol=0)


def test_only_highlights_are_lifted():
    linear = torch.tensor([0.0, 0.5, 0.85, 1.0]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    lifted = lift_highlights(linear, torch.tensor([4.0]))[0, 0, 0]
    torch.testing.assert_close(lifted, torch.tensor([0.0, 0.5, 0.85, 4.0]))
