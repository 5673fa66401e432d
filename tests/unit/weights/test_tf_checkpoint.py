import shutil
from pathlib import Path

import numpy as np
import pytest

from restore_cli.errors import WeightsError
from restore_cli.weights import tf_checkpoint

SAMPLE = Path(__file__).parent / "fixtures" / "deblur_sample"
DATA = ".data-00000-of-00001"


@pytest.fixture
def prefix(tmp_path):
    for suffix in (".index", DATA):
        shutil.copy(f"{SAMPLE}{suffix}", tmp_path)
    return tmp_path / SAMPLE.name


def test_values_are_those_that_tensorflow_reads():
    values = tf_checkpoint.read_checkpoint(SAMPLE)
    with np.load(SAMPLE.parent / "expected.npz") as expected:
        assert set(values) == set(expected.files)
        for name, value in values.items():
            assert value.shape == expected[name].shape
            assert value.dtype == expected[name].dtype
            np.testing.assert_array_equal(value, expected[name])


def test_only_what_is_wanted_is_read():
    values = tf_checkpoint.read_checkpoint(SAMPLE, lambda v: v.name.endswith("weights"))
    assert values
    assert all(name.endswith("weights") for name in values)


@pytest.mark.parametrize("suffix", ["", ".index", DATA])
def test_any_of_its_names_stands_for_a_checkpoint(suffix):
    assert tf_checkpoint.prefix_of(Path(f"{SAMPLE}{suffix}")) == SAMPLE
    assert [path.name for path in tf_checkpoint.files_of(SAMPLE)] == [
        "deblur_sample.index",
        f"deblur_sample{DATA}",
    ]


def test_there_and_back_is_the_same(tmp_path, rng):
    values = {
        f"net/{'x' * i}/weights": rng.standard_normal((3, 3, i, 2)).astype("float32")
        for i in range(1, 60)
    }
    tf_checkpoint.write_checkpoint(tmp_path / "a", values)
    read = tf_checkpoint.read_checkpoint(tmp_path / "a")
    assert list(read) == sorted(values)
    for name, value in values.items():
        np.testing.assert_array_equal(read[name], value)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("suffix", [".index", DATA])
@pytest.mark.parametrize("keep", [0, 1, 7, 47, 48, 100, 0.5, -1, -10])
def test_a_file_cut_off_is_an_error(prefix, suffix, keep):
    path = Path(f"{prefix}{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(WeightsError, match=r"damaged|truncated") as caught:
        tf_checkpoint.read_checkpoint(prefix)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("suffix", [".index", DATA])
def test_a_flipped_bit_is_an_error(prefix, suffix, rng):
    path = Path(f"{prefix}{suffix}")
    data = path.read_bytes()
    # All but the padding and the unused second block of the footer.
    end = len(data) - 80 if suffix == ".index" else len(data)
    for at in rng.integers(0, end, 40):
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="damaged"):
            tf_checkpoint.read_checkpoint(prefix)


def test_noise_is_an_error(prefix, rng):
    for _ in range(20):
        Path(f"{prefix}.index").write_bytes(rng.bytes(300) + tf_checkpoint.MAGIC)
        with pytest.raises(WeightsError, match="damaged"):
            tf_checkpoint.read_checkpoint(prefix)


def test_a_missing_half_is_named(prefix):
    Path(f"{prefix}{DATA}").unlink()
    with pytest.raises(WeightsError, match=r"data-00000-of-00001: no such file .*side by side"):
        tf_checkpoint.read_checkpoint(prefix)
    with pytest.raises(WeightsError, match=r"gone.index: no such file"):
        tf_checkpoint.read_checkpoint(prefix.with_name("gone"))
