import pytest

from restore_cli.errors import ImageError, UsageError
from restore_cli.imaging.limits import DEFAULT_MAX_PIXELS, VARIABLE, check_size, max_pixels


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
