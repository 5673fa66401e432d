from __future__ import annotations

import numpy as np
import pytest

from restore_cli.data.text_pages import text_page


@pytest.mark.parametrize("side", [32, 160, 321])
def test_a_page_has_paper_and_ink(side):
    for seed in range(20):
        page = text_page(np.random.default_rng(seed), side)
        assert page.shape == (side, side, 3)
        assert page.dtype == np.uint8
        if side > 100:  # smaller ones may fall between the lines
            assert float(page.std()) > 5


def test_the_seed_decides():
    first, again, other = (text_page(np.random.default_rng(seed), 96) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
