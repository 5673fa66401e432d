"""How far from an input pixel the output pixels are that depend on it."""

from __future__ import annotations

import torch


@torch.inference_mode()
def extent(model, margin, multiple_of, breadth=None):
    """Return how far from a pixel that is not a number the furthest other one in the result is.

    No arithmetic makes a number of what is none, so that every path shows, however faint.

    Args:
        model: changed to double precision, whose convolutions add only what they cover.
        margin: the image measured on has this many pixels on each side of the input pixels.
        multiple_of: the size rule of the network.
        breadth: width of the image; given, only what is above and below is measured.
    """
    model = model.double().eval()
    side = -(-(2 * margin + multiple_of) // multiple_of) * multiple_of
    first = margin // multiple_of * multiple_of
    furthest = 0
    # Pyramids treat the pixels of one step of the size rule differently: try the diagonal.
    for pixel in range(first, first + multiple_of):
        image = torch.zeros(1, 3, side, breadth or side, dtype=torch.float64)
        image[..., pixel, pixel if breadth is None else 0] = torch.nan
        reached = model.restore(image)[0].isnan().any(0)
        assert not reached[0].any(), "the image is too small for the measurement"
        rows, columns = reached.nonzero(as_tuple=True)
        furthest = max(furthest, int((rows - pixel).abs().max()))
        if breadth is None:
            furthest = max(furthest, int((columns - pixel).abs().max()))
    return furthest
