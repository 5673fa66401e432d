"""A published checkpoint in the shell: imported, used, exported; and a pickle that is a trap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from restore_cli.imaging.reading import read_image
from restore_cli.weights.files import load_model


def test_from_checkpoint_to_picture(restore, folder, narrow_model_file, picture):
    done = restore("weights", "export", "--official", narrow_model_file, "-o", "MIMO-UNet.pkl")
    assert (done.returncode, done.stdout) == (0, b"MIMO-UNet.pkl\n")
    done = restore("weights", "import", "MIMO-UNet.pkl", "--name", "mine")
    assert done.returncode == 0, done.stderr
    path = done.stdout.decode().strip()
    assert restore("weights", "path", "mine").stdout.decode().strip() == path
    before, _ = load_model(narrow_model_file)
    after, _ = load_model(Path(path))
    torch.testing.assert_close(dict(after.state_dict()), dict(before.state_dict()), atol=0, rtol=0)
    done = restore("deblur", picture("a.png"), "--model", "mine", "-o", "b.png", "--json")
    assert done.returncode == 0, done.stderr
    assert read_image(folder / "b.png").pixels.shape == (90, 120, 3)
    assert b"mine" in restore("weights", "list").stdout
    assert restore("weights", "verify", "mine").returncode == 0


class Malice:
    def __reduce__(self):
        return os.system, ("touch was-here",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_wants_code(restore, folder, is_zip):
    path = folder / "x.pkl"
    torch.save({"model": Malice()}, path, _use_new_zipfile_serialization=is_zip)
    done = restore("weights", "import", "x.pkl")
    assert done.returncode == 4
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: x.pkl: is refused: it wants to run ")
    assert done.stderr.count(b"\n") == 1
    assert [entry.name for entry in folder.iterdir()] == ["x.pkl"]
