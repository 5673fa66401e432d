from __future__ import annotations

import json
import os
import subprocess
import sys

from restore_cli.imaging.image import Image
from restore_cli.imaging.writing import write_image
from tests.unit.training.conftest import picture

RECIPE = """
name = "two"
task = "deblur"
architecture = "mimo-unet"
config = { width = 4, blocks = 1 }
phases = [{ until = 1.0, patch = 32, batch = 4 }]
[schedule]
steps = 50
[validation]
share = 0.3
side = 32
"""


def test_processes_under_torchrun_learn_as_one(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(4):
        write_image(photos / f"{seed}.png", Image(pixels=picture(seed)))
    (tmp_path / "two.toml").write_text(RECIPE, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    train = ["-m", "restore_cli", "train", "--recipe", str(tmp_path / "two.toml"), "--progress"]
    done = subprocess.run(
        [*torchrun, *train, "plain", "--data", str(photos), "--output", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    # One log, and of each batch of four every process saw two.
    assert [entry["step"] for entry in entries] == [50, 50]
    assert entries[0]["patches"] == 200
    assert done.stderr.count("started") == 1
    assert done.stderr.count("finished") == 1
