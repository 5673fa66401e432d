import pytest
import torch

from restore_cli.engine.backends.pytorch.backend import PyTorchBackend
from restore_cli.engine.backends.selection import open_backend
from restore_cli.engine.loading import load_for_inference

CPU = torch.device("cpu")


@pytest.fixture
def open_with(pointwise):
    def make(function, precision="fp32", *, tta=False):
        return open_backend(
            load_for_inference(pointwise(function), "auto"), CPU, precision, tta=tta
        )

    return make


def in_bf16():
    return torch.is_autocast_enabled("cpu")


def test_pytorch_is_the_first(open_with):
    assert isinstance(open_with(torch.clone), PyTorchBackend)


def test_facts(open_with):
    backend = open_with(torch.clone)
    assert (backend.device, backend.precision, backend.can_share) == (CPU, "fp32", True)
    assert backend.workers == torch.get_num_threads()
    assert backend.bytes_per_pixel > 0
    assert backend.name.startswith("oneDNN")


@pytest.mark.parametrize("tta", [False, True])
def test_order_is_kept(open_with, tta):
    backend = open_with(lambda x: x + 0.5, tta=tta)
    tiles = [torch.full((1, 3, 8, 12), float(i)) for i in range(4)]
    results = backend.restore(iter(tiles), backend.workers)
    for result, tile in zip(results, tiles, strict=True):
        torch.testing.assert_close(result, tile + 0.5)


def test_a_precision_is_compared_with_fp32(open_with):
    backend = open_with(lambda x: x + 0.25 * in_bf16(), "bf16")
    image = torch.rand(1, 3, 8, 8)
    in_half, in_full = backend.compare_with_fp32(image)
    torch.testing.assert_close(in_half, image + 0.25)
    torch.testing.assert_close(in_full, image)


def test_the_precision_can_be_changed(open_with):
    backend = open_with(lambda x: x + 0.25 * in_bf16(), "bf16")
    narrow = backend.bytes_per_pixel
    backend.use_precision("fp32")
    assert backend.precision == "fp32"
    assert backend.bytes_per_pixel == pytest.approx(2 * narrow, abs=1)
    image = torch.rand(1, 3, 8, 8)
    (result,) = backend.restore([image], 1)
    torch.testing.assert_close(result, image)
