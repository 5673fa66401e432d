import numpy as np
import pytest
import torch

from restore_cli.engine.channels import to_pixels, to_tensor


@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back_is_the_same(rng, channels):
    pixels = rng.random((5, 7, channels), dtype=np.float32)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, 5, 7)
    np.testing.assert_allclose(to_pixels(tensor, channels), pixels, rtol=0, atol=1e-7)


def test_grey_is_three_equal_channels_and_their_mean():
    tensor = to_tensor(np.full((2, 2, 1), 0.5, np.float32))
    torch.testing.assert_close(tensor, torch.full((1, 3, 2, 2), 0.5))
    uneven = torch.tensor([0.0, 0.3, 0.9]).view(1, 3, 1, 1)
    np.testing.assert_allclose(to_pixels(uneven, 1), [[[0.4]]], rtol=1e-6)


@pytest.mark.parametrize("view", ["flipped", "read-only", "transposed"])
def test_any_layout_in_memory_is_taken(rng, view):
    pixels = rng.random((6, 4, 3), dtype=np.float32)
    if view == "flipped":
        pixels = pixels[::-1, ::-1]
    elif view == "transposed":
        pixels = pixels.transpose(1, 0, 2)
    else:
        pixels.flags.writeable = False
    np.testing.assert_array_equal(to_pixels(to_tensor(pixels), 3), pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.float32),
        np.zeros((0, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.float64),
        np.zeros((4, 4, 3), np.uint8),
    ],
)
def test_errors(pixels):
    with pytest.raises(ValueError, match="pixels are"):
        to_tensor(pixels)
    with pytest.raises(ValueError, match="channels 2"):
        to_pixels(torch.zeros(1, 3, 2, 2), 2)
