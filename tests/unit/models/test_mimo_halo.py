import itertools

import pytest
import torch

from models import ARCHITECTURES, create_model
from models.registry import make_config


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_halo_is_the_extent_of_the_gradient(blocks):
    values = {"width": 4, "blocks": blocks}
    architecture = ARCHITECTURES["mimo-unet"]
    halo = architecture.halo(make_config("mimo-unet", values))
    extent = _extent(create_model("mimo-unet", values), halo + 12, architecture.multiple_of)
    assert extent <= halo <= extent + 8


def _extent(model, margin, multiple_of):
    """Return how far from an output pixel the furthest input pixel with a gradient is."""
    model = model.double()
    for parameter in model.parameters():
        # Nothing cancels and no ReLU is shut, so that the gradient shows every path there is.
        parameter.data = parameter.data.abs() + 1e-3
    side = -(-(2 * margin + multiple_of) // multiple_of) * multiple_of
    first = margin // multiple_of * multiple_of
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    restored = model.restore(image)
    furthest = 0
    # Pyramids treat the pixels of one step of the size rule differently: the diagonal tries all.
    for y, x in itertools.pairwise([*range(first, first + multiple_of), first]):
        (gradient,) = torch.autograd.grad(restored[0, :, y, x].sum(), image, retain_graph=True)
        rows, columns = gradient[0].abs().sum(0).nonzero(as_tuple=True)
        assert rows.min() > 0, "the image is too small for the measurement"
        assert rows.max() < side - 1, "the image is too small for the measurement"
        distances = [y - rows.min(), rows.max() - y, x - columns.min(), columns.max() - x]
        furthest = max(furthest, *map(int, distances))
    return furthest
