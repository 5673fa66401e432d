from pathlib import Path

import pytest

from restore_cli.errors import WeightsError
from restore_cli.weights import catalog, store
from restore_cli.weights.header import SUFFIX


@pytest.fixture
def places(tmp_path, monkeypatch, narrow_model_file):
    bundled, cache = tmp_path / "bundled", tmp_path / "cache"
    for folder, name in ((bundled, "narrow"), (cache / "restore/weights", "narrow-imported")):
        folder.mkdir(parents=True)
        (folder / f"{name}{SUFFIX}").write_bytes(narrow_model_file.read_bytes())
    monkeypatch.setattr(catalog, "BUNDLED", bundled)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_path_is_taken_as_it_is(places, narrow_model_file):
    assert store.locate(str(narrow_model_file)) == narrow_model_file
    assert store.locate(narrow_model_file) == narrow_model_file
    Path("narrow").write_bytes(b"a file before a name")
    assert store.locate("narrow") == Path("narrow")


def test_a_name_is_bundled_or_cached(places):
    assert store.locate("narrow") == places / "bundled" / f"narrow{SUFFIX}"
    assert store.locate("mimo-unet") == places / "bundled" / f"narrow{SUFFIX}"
    cached = places / "cache/restore/weights" / f"narrow-imported{SUFFIX}"
    assert store.locate("Narrow_Imported") == cached
    assert store.cached_files() == (cached,)


def test_errors(places):
    with pytest.raises(WeightsError, match="did you mean narrow-imported or narrow"):
        store.locate("narrow-importd")
    for path in ("gone.safetensors", "folder/narrow", places / "gone"):
        with pytest.raises(WeightsError, match="no such weights file"):
            store.locate(path)
    with pytest.raises(WeightsError, match="is a folder"):
        store.locate(places)


def test_a_relative_cache_folder_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert store.cache_dir() == tmp_path / ".cache/restore/weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert store.cache_dir() == Path("/elsewhere/restore/weights")
