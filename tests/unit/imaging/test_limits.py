import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.limits import (
    DEFAULT_MAX_PIXELS,
    VARIABLE,
    check_size,
    check_streamed_size,
    max_pixels,
    with_size_check,
)


def test_values(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert max_pixels() == DEFAULT_MAX_PIXELS
    check_size(20_000, 15_000)
    monkeypatch.setenv(VARIABLE, "1000")
    check_size(40, 25)


def test_errors(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1000")
    with pytest.raises(ImageError, match="41×25 pixels") as caught:
        check_size(41, 25)
    assert caught.value.hint.endswith(f"set {VARIABLE}=1025")
    with pytest.raises(ImageError, match="0×5"):
        check_size(0, 5)
    for text in ("many", "-1", "0"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(UsageError, match=VARIABLE):
            max_pixels()


def test_streamed_sizes_have_a_limit_only_where_one_is_set(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    check_streamed_size(100_000, 100_000, 200_000_000)
    with pytest.raises(ImageError, match="over the limit"):
        check_streamed_size(100_000, 100_000, 50_000_000)  # so few bytes are no photo
    with pytest.raises(ImageError, match="claims to be 0"):
        check_streamed_size(0, 100, 1000)
    monkeypatch.setenv(VARIABLE, "100")
    with pytest.raises(ImageError, match="over the limit"):
        check_streamed_size(11, 10, 1000)


def test_another_check_holds_for_a_while():
    seen = []
    with with_size_check(lambda *size: seen.append(size)):
        check_size(30, 20)
    check_size(40, 20)
    assert seen == [(30, 20)]
