"""What is no checkpoint, or a damaged or dangerous one: one line each, and nothing is run."""

import argparse
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from restore_cli.errors import WeightsError
from restore_cli.weights.importing import import_checkpoint


class Malice:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("place", ["alone", "beside", "inside"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, is_zip, place):
    mark = tmp_path / "was here"
    malice = Malice(mark)
    content = {
        "alone": malice,
        "beside": {"model": {"a": torch.zeros(1)}, "args": malice},
        "inside": {"model": {"a": malice}},
    }[place]
    path = tmp_path / "x.pkl"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(WeightsError, match=rf"x.pkl: is refused: it wants to run {os.name}.system"):
        import_checkpoint(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # noqa: TID251 - the trap is a real one
    assert mark.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_are_refused_too(tmp_path, protocol):
    mark = tmp_path / "was here"
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"model": Malice(mark)}, protocol=protocol))
    with pytest.raises(WeightsError, match=r"is refused|is not a checkpoint|no PyTorch checkpoint"):
        import_checkpoint(path)
    assert not mark.exists()


def _saved(value):
    return lambda path: torch.save(value, path)


def _bytes(data):
    return lambda path: path.write_bytes(data)


def _archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("photo.jpg", "x")


BAD = {
    "empty": (_bytes(b""), "is empty"),
    "text": (_bytes(b"hello world\n"), "is not a checkpoint"),
    "page": (_bytes(b"\n<!DOCTYPE html><html>"), "is a web page"),
    "pointer": (_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
    "gzip": (_bytes(b"\x1f\x8b" + bytes(20)), "gzip archive"),
    "noise": (_bytes(b"\x80" + bytes(range(256))), "damaged"),
    "zip of photographs": (_archive, "is a zip archive, not a checkpoint"),
    "a list": (_saved([1, 2]), "holds a list"),
    "a tensor": (_saved(torch.zeros(3)), "holds a Tensor"),
    "nothing": (_saved({}), "holds no tensors"),
    "a number": (_saved({"state_dict": {"a": 3}}), "entry 'a' is of type int"),
    "numbered": (_saved({3: torch.zeros(1)}), "entry 3 is of type Tensor"),
    "another network": (_saved({"a": torch.zeros(1)}), "no network known here; .*'a'.*MIMO-UNet"),
    "a whole module": (_saved(torch.nn.Conv2d(1, 1, 1)), r"wants to run torch\.nn\..*Conv2d"),
    "options": (_saved({"args": argparse.Namespace()}), "wants to run argparse.Namespace"),
    "numpy": (_saved({"psnr": np.float64(3)}), "wants to run numpy"),
    "complex": (_saved({"Encoder.0": torch.zeros(1, dtype=torch.complex64)}), "no network"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_checkpoint(tmp_path, kind):
    make, message = BAD[kind]
    path = tmp_path / "x.pth"
    make(path)
    with pytest.raises(WeightsError, match=message) as caught:
        import_checkpoint(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        import_checkpoint(tmp_path / "gone.pth")
    with pytest.raises(WeightsError, match="is a folder"):
        import_checkpoint(tmp_path)


def test_one_of_ours(narrow_model_file):
    with pytest.raises(WeightsError, match=r"one of our files already .*--model"):
        import_checkpoint(narrow_model_file)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_cut_off_anywhere(tmp_path, is_zip):
    whole = tmp_path / "whole.pth"
    state = {f"layer.{i}.weight": torch.zeros(50) for i in range(3)}
    torch.save({"state_dict": state}, whole, _use_new_zipfile_serialization=is_zip)
    data = whole.read_bytes()
    path = tmp_path / "x.pth"
    for size in [1, 2, 3, 10, 60, *range(100, len(data) - 1, len(data) // 40), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(WeightsError, match=r"damaged|not a checkpoint|refused"):
            import_checkpoint(path)


def test_a_damaged_archive_is_noticed(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"state_dict": {"a": torch.arange(1000.0)}}, path)
    data = bytearray(path.read_bytes())
    at = data.find(torch.arange(500.0, 600.0).numpy().tobytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="wrong checksum"):
        import_checkpoint(path)
