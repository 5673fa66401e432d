import pytest
import torch

from restore_cli.engine.padding import crop_like, pad_to_multiple


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 3), (7, 301), (8, 16), (9, 17)])
@pytest.mark.parametrize("multiple_of", [1, 4, 8, 16])
def test_shape(size, multiple_of):
    image = torch.rand(1, 3, *size)
    padded = pad_to_multiple(image, multiple_of)
    for before, after in zip(size, padded.shape[-2:], strict=True):
        assert after % multiple_of == 0
        assert before <= after < before + multiple_of
    torch.testing.assert_close(crop_like(padded, image), image, rtol=0, atol=0)


def test_values():
    row = torch.tensor([[[[1.0, 2.0, 3.0, 4.0, 5.0]]]])
    assert pad_to_multiple(row, 8)[0, 0, 0].tolist() == [1, 2, 3, 4, 5, 4, 3, 2]
    # Two pixels have one to mirror; what is beyond is repeated.
    assert pad_to_multiple(row[..., :2], 4)[0, 0, 0].tolist() == [1, 2, 1, 1]
    assert pad_to_multiple(row[..., :1], 4).unique().tolist() == [1]
