import numpy as np
import pytest
import torch

from restore_cli.engine.result_checks import ColourCheck, agrees, finite_or_again
from restore_cli.errors import ResultError

GOOD = torch.rand(1, 3, 4, 4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_bad_value_has_the_tile_done_again(bad):
    broken = GOOD.clone()
    broken[0, 1, 2, 3] = bad
    assert finite_or_again(broken, lambda: GOOD) is GOOD
    with pytest.raises(ResultError, match="not finite"):
        finite_or_again(broken, lambda: broken)


def test_a_good_tile_is_not_done_again():
    assert finite_or_again(GOOD, lambda: pytest.fail("was done again")) is GOOD


def check_colour(before, after, task):
    """In two parts, as rows come."""
    check = ColourCheck(task)
    check.add(before[:3], after[:3])
    check.add(before[3:], after[3:])
    check.finish()


def test_a_colour_shift_is_refused(rng):
    before = rng.random((40, 40, 3), dtype=np.float32)
    check_colour(before, before + np.float32(0.09), "deblur")
    green = np.array([0, 0.11, 0], np.float32)
    with pytest.raises(ResultError, match="11 %"):
        check_colour(before, before + green, "deblur")
    check_colour(before, before + green, "enhance")
    check_colour(before, before + green, "derain")
    check_colour(before[:8, :8], before[:8, :8] + green, "deblur")  # too few pixels for a mean
    check_colour(before * 10, before * 10 + green, "deblur")  # little for such values


def test_agreement_is_50_db():
    assert agrees(GOOD + 10 ** (-50.1 / 20), GOOD)
    assert not agrees(GOOD + 10 ** (-49.9 / 20), GOOD)
    assert not agrees(GOOD * float("nan"), GOOD)
