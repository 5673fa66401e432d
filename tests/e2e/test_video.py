"""Video through pipes, as it stands between two ffmpeg commands, and in files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal

import imageio.v3 as imageio
import numpy as np
import pytest

from restore_cli.imaging.video.y4m import Y4mReader
from tests.unit.imaging.video.clips import frames_of, packets_of, write_clip

WIDTH, HEIGHT = 64, 48
FRAME_BYTES = WIDTH * HEIGHT * 3 // 2
HEADER = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG\n".encode()


@pytest.fixture
def frame(rng):
    """A smooth picture that moves on with every call."""
    phase = iter(np.arange(0, 100, 3))

    def make():
        x, y = np.meshgrid(np.arange(WIDTH) + next(phase), np.arange(HEIGHT))
        luma = 120 + 60 * np.sin(x / 7) * np.cos(y / 9)
        chroma = 128 + 20 * np.cos(np.add.outer(np.arange(HEIGHT // 2), np.arange(WIDTH // 2)) / 9)
        planes = (luma, chroma, 255 - chroma)
        return b"FRAME\n" + b"".join(p.astype(np.uint8).tobytes() for p in planes)

    return make


def test_untouched_frames_pass_to_the_bit(restore, frame, rng, narrow_model_file):
    data = HEADER + frame() + frame()
    arguments = ("--strength", 0, "-q", "-m", narrow_model_file)
    done = restore("denoise", "-", *arguments, input=data)
    assert (done.returncode, done.stdout) == (0, data)
    raw = rng.bytes(3 * WIDTH * HEIGHT * 3)
    size = ("--format", "rawvideo", "--size", f"{WIDTH}x{HEIGHT}")
    done = restore("denoise", "-", "-o", "-", *size, *arguments, input=raw)
    assert (done.returncode, done.stdout) == (0, raw)


@pytest.mark.parametrize("task", ["deblur", "derain", "enhance"])
def test_every_task_restores_frames(restore, frame, narrow_model_file, task):
    data = HEADER + frame() + frame()
    done = restore(task, "-", "-m", narrow_model_file, "--json", input=data)
    assert done.returncode == 0
    before, after = (list(Y4mReader(io.BytesIO(d).read)) for d in (data, done.stdout))
    assert len(before) == len(after) == 2
    difference = after[0].planes[0].astype(int) - before[0].planes[0]
    assert 0 < np.abs(difference).mean() < 12  # the same picture, changed
    (result,) = json.loads(done.stderr[done.stderr.index(b"{") :])["files"]
    assert (result["frames"], result["width"], result["height"]) == (2, WIDTH, HEIGHT)


def test_the_first_frame_comes_before_the_input_ends(start, frame, narrow_model_file):
    process = start("deblur", "-", "-m", narrow_model_file, "-q", stdin=-1)
    process.stdin.write(HEADER + frame())
    process.stdin.flush()
    expected = len(HEADER) + len(b"FRAME\n") + FRAME_BYTES
    assert len(process.stdout.read(expected)) == expected
    process.stdin.write(frame())
    process.stdin.close()
    assert len(process.stdout.read()) == len(b"FRAME\n") + FRAME_BYTES
    assert (process.wait(), process.stderr.read()) == (0, b"")


def test_one_command_into_the_next(start, folder, frame, narrow_model_file):
    (folder / "a.y4m").write_bytes(HEADER + frame() + frame() + frame())
    model = ("-q", "-m", narrow_model_file)
    with (folder / "a.y4m").open("rb") as source:
        first = start("denoise", "-", "-o", "-", *model, stdin=source)
    second = start("deblur", "-", "-o", "b.y4m", *model, stdin=first.stdout)
    first.stdout.close()
    assert (second.wait(), first.wait()) == (0, 0)
    assert (folder / "b.y4m").stat().st_size == (folder / "a.y4m").stat().st_size


def test_a_cut_frame_is_one_line_after_the_whole_ones(restore, frame, narrow_model_file):
    data = HEADER + frame() + frame()
    done = restore("deblur", "-", "-m", narrow_model_file, "-q", input=data[:-1])
    assert done.returncode == 3
    assert len(list(Y4mReader(io.BytesIO(done.stdout).read))) == 1
    assert done.stderr.startswith(b"error: <stdin>: the stream ends within a frame, after 1 whole")
    assert done.stderr.count(b"\n") == 1


def test_no_frames_at_all(restore, narrow_model_file):
    raw = ("--format", "rawvideo", "--size", "64x48")
    for arguments, data in (((), b""), (raw, b""), ((), HEADER)):
        done = restore("deblur", "-", "-o", "-", *arguments, "-m", narrow_model_file, input=data)
        assert (done.returncode, done.stdout) == (3, b"")
        assert done.stderr.endswith(b"(the command before the pipe gave nothing)\n")
        assert done.stderr.startswith((b"error: <stdin>: no frames", b"error: <stdin>: no data"))
    done = restore("deblur", "-", "--format", "rawvideo", "-m", narrow_model_file, input=b"abc")
    assert done.returncode == 2
    assert b"add --size WIDTHxHEIGHT" in done.stderr


def test_a_closed_pipe_is_quiet(start, frame, narrow_model_file):
    process = start("deblur", "-", "-m", narrow_model_file, "-q", stdin=-1)
    process.stdin.write(HEADER + frame())
    process.stdin.flush()
    process.stdout.read(len(HEADER))
    process.stdout.close()
    picture = frame()

    def feed_for_ever():
        while True:
            process.stdin.write(picture)
            process.stdin.flush()

    with pytest.raises(BrokenPipeError):  # it ends, though its input would not
        feed_for_ever()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert (process.wait(), process.stderr.read()) == (141, b"")


@pytest.mark.parametrize("is_reading", [True, False])
def test_an_interrupt_ends_it_at_once(start, folder, frame, narrow_model_file, is_reading):
    """Also where one thread waits for more input, and the other for someone to read the output."""
    process = start("deblur", "-", "-o", "b.y4m" if is_reading else "-", "-m", narrow_model_file,
                    "--progress", "json", stdin=-1)  # fmt: skip
    process.stdin.write(HEADER + b"".join([frame()] * (1 if is_reading else 30)))
    process.stdin.flush()
    for line in process.stderr:
        if json.loads(line)["event"] == "frames":
            break
    process.send_signal(signal.SIGINT)
    lines = [line for line in process.stderr.read().splitlines() if not line.startswith(b"{")]
    assert (process.wait(timeout=60), lines) == (130, [b"error: interrupted"])
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk(restore, frame, narrow_model_file):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = restore("deblur", "-", "-m", narrow_model_file, "-q", input=HEADER + frame(),
                       stdout=full)  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: <stdout>: cannot write: No space left on device")


def test_a_dry_run_counts_frames(restore, folder, frame, narrow_model_file):
    (folder / "a.y4m").write_bytes(HEADER + frame() + frame() + frame() + frame())
    done = restore("deblur", "a.y4m", "-m", narrow_model_file, "--dry-run")
    assert done.stdout.startswith(b"a.y4m -> a_deblur.y4m (64x48, 4 frames, tiles: 1 of 64x48, ")
    assert [path.name for path in folder.iterdir()] == ["a.y4m"]


def test_a_video_file_with_the_bundled_model(restore, folder):
    write_clip(folder / "in.mp4", count=4)
    done = restore("deblur", "in.mp4", "-o", "out.mp4", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["files"]
    assert (result["frames"], result["output"]) == (4, "out.mp4")
    before, after = (frames_of(folder / name, "rgb24") for name in ("in.mp4", "out.mp4"))
    assert [start for start, _ in after] == [start for start, _ in before]
    assert packets_of(folder / "out.mp4", "audio") == packets_of(folder / "in.mp4", "audio")
    assert sorted(path.name for path in folder.iterdir()) == ["in.mp4", "out.mp4"]
    imageio.imwrite(folder / "still.png", before[0][1])
    assert restore("deblur", "still.png", "-o", "restored.png").returncode == 0
    still = imageio.imread(folder / "restored.png").astype(int)
    change = np.abs(after[0][1] - still).mean(), np.abs(before[0][1] - still).mean()
    assert change[0] < 2 < change[1], "as the frame by itself, but for the codec"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_file_leaves_nothing(start, folder, narrow_model_file, number, code):
    write_clip(folder / "in.mp4", count=200, size=(320, 240))
    process = start("deblur", "in.mp4", "-o", "out.mp4", "-m", narrow_model_file,
                    "--progress", "json")  # fmt: skip
    for line in process.stderr:
        if json.loads(line)["event"] == "frames":
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if not line.startswith(b"{")]
    assert (process.returncode, out) == (code, b"")
    assert lines == ([b"error: interrupted"] if number == signal.SIGINT else [])
    assert [path.name for path in folder.iterdir()] == ["in.mp4"]


def test_a_video_file_into_a_pipe(restore, folder, narrow_model_file):
    write_clip(folder / "in.mp4", count=3, sound=None)
    done = restore("denoise", "in.mp4", "-o", "-", "-q", "-m", narrow_model_file)
    assert (done.returncode, done.stderr) == (0, b"")
    reader = Y4mReader(io.BytesIO(done.stdout).read)
    assert (len(list(reader)), reader.header.format.width) == (3, 64)
    done = restore("denoise", "-", "-o", "b.mkv", "-q", "-m", narrow_model_file, input=done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(frames_of(folder / "b.mkv")) == 3


def test_what_is_refused_of_video_files(restore, folder, environment, narrow_model_file):
    write_clip(folder / "in.mp4", count=2)
    data = (folder / "in.mp4").read_bytes()
    (folder / "text.mp4").write_text("this is no video")
    model = ("-m", narrow_model_file)
    refused = [
        (("in.mp4", "-o", "-", "--format", "mp4", *model), 2, b"MP4 cannot be written to a pipe"),
        (("in.mp4", "-o", "b.webm", *model), 3, b"WebM cannot hold sound in aac"),
        (("text.mp4", *model), 3, b"text.mp4: cannot read the video: invalid data"),
        (("-", *model), 2, b"video files are not read from a pipe"),
    ]
    for arguments, code, words in refused:
        done = restore("deblur", *arguments, input=data)
        assert (done.returncode, done.stdout) == (code, b""), done.stderr
        assert words in done.stderr
        assert done.stderr.count(b"\n") == 1
    (folder.parent / "av.py").write_text("raise ModuleNotFoundError")
    environment["PYTHONPATH"] = str(folder.parent)
    done = restore("deblur", "in.mp4", *model)
    assert done.returncode == 2
    assert done.stderr == (
        b"error: in.mp4: video files need PyAV, which is not installed"
        b" (pip install 'restore-cli[video]')\n"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["in.mp4", "text.mp4"]
