"""What the restoring commands beside `deblur` promise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from restore_cli.imaging.reading import decode_image, read_image
from restore_cli.weights.catalog import all_cards
from restore_cli.weights.files import load_model, save_model


@pytest.mark.parametrize("task", ["denoise", "derain", "enhance"])
def test_a_model_named_runs_under_any_command(restore, picture, folder, narrow_model_file, task):
    picture("a.png", depth="uint16")
    done = restore(task, "a.png", "-m", narrow_model_file, "--pooling", "global", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    note = f"this model is for deblur, not {task}"
    assert (report["task"], report["notes"]) == (task, [note])
    assert done.stderr.decode().splitlines()[0] == f"note: narrow: {note}"
    restored = read_image(folder / f"a_{task}.png")
    assert (restored.depth, restored.pixels.shape) == ("uint16", (90, 120, 3))


@pytest.mark.parametrize("task", ["deblur", "denoise", "derain", "enhance", "upscale"])
def test_a_task_without_a_model_says_what_to_do(restore, picture, folder, task):
    if any(card.task == task for card in all_cards()):
        pytest.skip("a model for this is bundled")
    done = restore(task, picture("a.png"))
    assert (done.returncode, done.stdout) == (4, b"")
    assert done.stderr.decode() == (
        f"error: no model for {task} comes with this program (get one with restore weights import"
        " FILE or restore train, then name it with --model)\n"
    )
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_an_imported_model_is_pointed_at(restore, picture, environment, folder, narrow_model_file):
    cache = folder.parent / "home" / "restore" / "weights"
    cache.mkdir(parents=True)
    network, card = load_model(narrow_model_file)
    save_model(cache / "mine.safetensors", network, replace(card, task="upscale"))
    if any(card.task == "upscale" for card in all_cards()):
        pytest.skip("a model for this is bundled")
    done = restore("upscale", picture("a.png"))
    assert done.returncode == 4
    assert done.stderr.endswith(b"(you imported one: --model mine)\n")
    done = restore("upscale", "a.png", "--model", "mine", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_upscale(restore, picture, folder, rng, narrow_model_file):
    alpha = np.repeat(np.linspace(0, 1, 120, dtype=np.float32)[None, :, None], 90, axis=0)
    picture("a.png", depth="uint16", alpha=alpha)
    done = restore("upscale", "a.png", "--scale", 3, "-m", narrow_model_file, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    before, after = read_image(folder / "a.png"), read_image(folder / "a_upscale.png")
    assert (after.depth, after.pixels.shape, after.alpha.shape) == (
        "uint16",
        (270, 360, 3),
        (270, 360, 1),
    )
    centres = slice(1, None, 3)  # of the old pixels, among the new ones
    np.testing.assert_allclose(after.alpha[centres, centres], before.alpha, atol=2e-4)
    difference = after.pixels[centres, centres] - before.pixels
    assert np.abs(difference).mean() < 0.05  # the same picture


def test_upscale_through_a_pipe_at_twice_the_size(restore, picture, folder, narrow_model_file):
    picture("a.jpg", channels=1)
    data = (folder / "a.jpg").read_bytes()
    done = restore("upscale", "-", "-m", narrow_model_file, "-q", input=data)
    assert (done.returncode, done.stderr) == (0, b"")
    image = decode_image(done.stdout)
    assert (image.format, image.pixels.shape) == ("jpeg", (180, 240, 1))


def test_a_dry_run_of_upscale_says_the_size(restore, picture, folder, narrow_model_file):
    picture("a.png")
    arguments = ("upscale", "a.png", "gone.png", "--scale", 4, "-m", narrow_model_file)
    done = restore(*arguments, "--dry-run")
    assert done.returncode == 3
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("a.png -> a_upscale.png (480x360, tiles: 1 of 480x360, about ")
    assert lines[1] == "gone.png: would fail: no such file"
    report = json.loads(restore(*arguments, "--dry-run", "--json").stdout)
    assert (report["files"][0]["width"], report["files"][0]["height"]) == (480, 360)
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_too_large_to_enlarge(restore, picture, folder, environment, narrow_model_file):
    environment["RESTORE_MAX_PIXELS"] = "100000"
    done = restore("upscale", picture("a.png"), "--scale", 4, "-m", narrow_model_file, "-q")
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: a.png: enlarged 4 times, 480")
    assert b"try a smaller --scale, or set RESTORE_MAX_PIXELS=172800)" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["a.png"]
