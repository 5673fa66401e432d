import pytest

from restore_cli.errors import WeightsError
from restore_cli.weights import catalog
from restore_cli.weights.inventory import held_files, verify


@pytest.fixture
def places(tmp_path, monkeypatch, narrow_model_file):
    content = narrow_model_file.read_bytes()
    cache = tmp_path / "cache/restore/weights"
    for path, data in {
        tmp_path / "bundled/narrow.safetensors": content,
        cache / "mine.safetensors": content,
        cache / "broken.safetensors": content[:-1],
        cache / "downloads/model.pth": b"published",
        cache / "downloads/.other.pth.0123456789abcdef.part": b"half",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_everything_is_listed(places, narrow_model_file):
    held = [(file.name, file.place, file.licence) for file in held_files()]
    assert held == [
        ("narrow", "bundled", "Apache-2.0"),
        ("broken", "damaged", ""),
        ("mine", "cached", "Apache-2.0"),
        ("other.pth", "partial", ""),
        ("model.pth", "downloaded", ""),
    ]
    assert held_files()[0].size_bytes == narrow_model_file.stat().st_size


def test_nothing_is_listed_where_nothing_is(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path / "a")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert held_files() == ()


def test_verify(narrow_model_file, tmp_path):
    assert len(verify(narrow_model_file)) == 64
    data = bytearray(narrow_model_file.read_bytes())
    data[-1] ^= 1
    damaged = tmp_path / "x.safetensors"
    damaged.write_bytes(data)
    with pytest.raises(WeightsError, match="wrong checksum"):
        verify(damaged)
    with pytest.raises(WeightsError, match="cannot be read"):
        verify(tmp_path / "gone")
