"""What `restore deblur` promises, file by file and through pipes."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest

from restore_cli.imaging.reading import decode_image, read_image


def errors(done):
    return [line for line in done.stderr.decode().splitlines() if line.startswith("error:")]


def test_several_inputs_one_report(restore, picture, folder, narrow_model_file):
    picture("a.png", depth="uint16")
    picture("b.jpg")
    (folder / "text.png").write_text("this is no image")
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    (folder / "sub").mkdir()
    (folder / "b_deblur.jpg").write_bytes(b"precious")
    inputs = ("text.png", "a.png", "gone.png", "cut.jpg", "sub", "b.jpg")
    done = restore("deblur", *inputs, "-m", narrow_model_file, "--json")
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert (report["done"], report["failed"], report["exit_code"]) == (1, 5, 3)
    assert [result["status"] for result in report["files"]] == ["failed", "done", *["failed"] * 4]
    assert len(errors(done)) == 5
    for line, name in zip(errors(done), ("text", "gone", "cut", "sub", "b_deblur"), strict=True):
        assert line.startswith(f"error: {name}")
    restored = read_image(folder / "a_deblur.png")
    assert (restored.depth, restored.pixels.shape) == ("uint16", (90, 120, 3))
    assert (folder / "b_deblur.jpg").read_bytes() == b"precious"


def test_a_chain_of_pipes(start, picture, folder, narrow_model_file):
    picture("a.jpg")
    arguments = ("deblur", "-", "-o", "-", "-m", narrow_model_file)
    with (folder / "a.jpg").open("rb") as source:
        first = start(*arguments, stdin=source)
    second = start(*arguments, "--format", "png", "--json", stdin=first.stdout)
    first.stdout.close()
    out, err = second.communicate()
    assert (first.wait(), second.returncode) == (0, 0)
    image = decode_image(out)
    assert (image.format, image.pixels.shape) == ("png", (90, 120, 3))
    assert b'"exit_code": 0' in err


def test_in_place_and_streams_into_files(restore, picture, folder, narrow_model_file):
    picture("a.png", channels=1)
    data = (folder / "a.png").read_bytes()
    done = restore("deblur", "a.png", "--in-place", "-m", narrow_model_file)
    assert done.returncode == 0
    assert (folder / "a.png").read_bytes() != data
    assert read_image(folder / "a.png").is_grey
    done = restore("deblur", "-", "-o", "out/", "-m", narrow_model_file, "-q", input=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (folder / "out" / "stdin_deblur.png").exists()


def test_refusals_come_before_any_work(restore, picture, folder, narrow_model_file):
    picture("a.png")
    (folder / "file").write_bytes(b"")
    before = sorted(folder.iterdir())
    model = ("-m", narrow_model_file)
    for arguments, code, words in [
        (("a.png", "-o", "a.png", *model), 2, "a.png: would replace the input"),
        (("a.png", "-o", "file/b.png", *model), 3, "file: is not a folder"),
        (("a.png", "-o", "gone/b.png", *model), 3, "gone: no such folder"),
        (("a.png", "-o", "b.xyz", *model), 3, "b.xyz: cannot write .xyz files"),
        (("a.png", "-m", "nope"), 4, "no model is called 'nope'"),
        (("a.png", "-m", "a.png"), 4, "a.png: is not a safetensors file"),
        (("a.png", "--device", "cuda:99", *model), 5, ""),
        (("-", *model), 3, "<stdin>: no data"),
        ((), 2, "no input"),
    ]:
        done = restore("deblur", *arguments)
        assert (done.returncode, done.stdout) == (code, b""), arguments
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.decode().startswith(f"error: {words}")
    assert sorted(folder.iterdir()) == before


def test_no_bytes_go_to_a_terminal(restore, picture, narrow_model_file):
    ours, theirs = pty.openpty()
    done = restore("deblur", picture("a.png"), "-o", "-", "-m", narrow_model_file, stdout=theirs)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"not written to a terminal" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk(restore, picture, narrow_model_file):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = restore("deblur", picture("a.png"), "-o", "-", "-m", narrow_model_file, stdout=full)
    assert done.returncode == 3
    assert errors(done) == [
        "error: <stdout>: cannot write: No space left on device (free some space there)"
    ]


def test_a_closed_pipe_is_quiet(start, picture, narrow_model_file):
    process = start("deblur", picture("a.png"), "-o", "-", "-m", narrow_model_file, "-q")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_nothing_behind(
    start, picture, folder, narrow_model_file, number, code
):
    picture("a.png", size=(1600, 1600))
    process = start(
        *("deblur", "a.png", "-m", narrow_model_file, "--tile", 64, "--progress", "json"),
    )
    events = []
    for line in process.stderr:
        events.append(json.loads(line)["event"])
        if events[-1] == "tiles":
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if not line.startswith(b"{")]
    assert (process.returncode, out) == (code, b"")
    assert lines == ([b"error: interrupted"] if number == signal.SIGINT else [])
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_the_bundled_model_is_the_default(restore, picture, folder):
    picture("a.png")
    done = restore("deblur", "a.png", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "mprnet-wide-deblur"
    before, after = (read_image(folder / name).pixels for name in ("a.png", "a_deblur.png"))
    assert np.abs(before.mean() - after.mean()) < 0.05


def test_settings_reach_the_job(restore, picture, folder, narrow_model_file):
    picture("a.png")
    (folder / "restore.toml").write_text(f'model = "{narrow_model_file}"\n[deblur]\ntile = 64\n')
    done = restore("deblur", "a.png", "--dry-run", "--json")
    report = json.loads(done.stdout)
    assert (report["model"], report["tile"], report["dry_run"]) == ("narrow", "64", True)
    (folder / "restore.toml").write_text("modell = 1")
    done = restore("deblur", "a.png")
    assert done.returncode == 2
    assert done.stderr == b"error: restore.toml: unknown key modell (did you mean model?)\n"


def test_as_a_shell_user_writes_it(environment, picture, folder, narrow_model_file):
    picture("a.png")
    program = shlex.join([sys.executable, "-m", "restore_cli"])
    script = f"cat a.png | {program} deblur - -m {narrow_model_file} > b.png"
    done = subprocess.run(script, shell=True, cwd=folder, env=environment, check=False)
    assert done.returncode == 0
    assert read_image(folder / "b.png").pixels.shape == (90, 120, 3)
