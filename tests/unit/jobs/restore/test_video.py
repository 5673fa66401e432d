"""Bare video streams through the job, with a network that only darkens."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from restore_cli.errors import ImageError, ResultError
from restore_cli.imaging.video.colour import to_pixels
from restore_cli.imaging.video.frames import FrameFormat, layout_of
from restore_cli.imaging.video.y4m import Y4mReader
from restore_cli.jobs.restore.run import restore_files
from tests.options import restore_options
from tests.unit.imaging.video.clips import frames_of, packets_of, write_clip

WIDTH, HEIGHT, FRAMES = 40, 30, 3


class FakeRestorer:
    """Takes a tenth of the light away, or does what a test wants."""

    seen: list
    change = staticmethod(lambda pixels: pixels * np.float32(0.9))

    def __init__(self, model, options, **keywords):
        self.card = SimpleNamespace(name="narrow")
        self.device, self.precision = "cpu", "fp32"
        self.max_memory_bytes = None

    def __call__(self, pixels, progress=None):
        self.seen.append(pixels.shape)
        return self.change(pixels)


@pytest.fixture(autouse=True)
def fake(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restore_cli.engine.restorer.Restorer", FakeRestorer)
    monkeypatch.setattr(FakeRestorer, "seen", [], raising=False)
    return FakeRestorer


@pytest.fixture
def restore(narrow_model_file):
    def run(*inputs, output=None, on_event=lambda _: None, **options):
        chosen = restore_options(model=str(narrow_model_file), **options)
        return restore_files(list(inputs), output, chosen, on_event)

    return run


def y4m(rng, tags="F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG", name="yuv420p", frames=FRAMES, low=0):
    format = FrameFormat(layout_of(name), WIDTH, HEIGHT)
    data = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} {tags}\n".encode()
    top = 2**format.layout.bits - low
    for _ in range(frames):
        samples = rng.integers(low, top, format.frame_bytes // format.layout.dtype.itemsize)
        data += b"FRAME\n" + samples.astype(format.layout.dtype).tobytes()
    return data


def pixels_of(data):
    reader = Y4mReader(io.BytesIO(data).read, len(data))
    return reader.header, [to_pixels(frame.planes, reader.header.format) for frame in reader]


def test_values(restore, rng, tmp_path):
    data = y4m(rng, "F30000:1001 Ip A1:1 C444 Xof=mine", "yuv444p", low=60)
    (tmp_path / "a.y4m").write_bytes(data)
    events = []
    report = restore("a.y4m", on_event=events.append)
    (result,) = report.files
    assert (result.output, result.status, result.frames) == ("a_deblur.y4m", "done", FRAMES)
    assert (result.width, result.height, result.channels, result.depth) == (40, 30, 3, "uint8")
    after = (tmp_path / "a_deblur.y4m").read_bytes()
    assert after.partition(b"\n")[0] == data.partition(b"\n")[0]
    for old, new in zip(pixels_of(data)[1], pixels_of(after)[1], strict=True):
        # Only what is in [0, 1] is seen and darkened; half a step of luma and of chroma.
        np.testing.assert_allclose(new - old, -0.1 * np.clip(old, 0, 1), atol=0.01)
    told = [(e.done, e.total) for e in events if e.kind == "frames"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert all(e.frames_per_s > 0 for e in events if e.kind == "frames")
    assert report.to_dict()["files"][0]["frames"] == FRAMES


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ("C420jpeg", "yuv420p"),
        ("C420mpeg2 F24:1", "yuv420p"),
        ("C422", "yuv422p"),
        ("Cmono", "gray"),
        ("C420p10", "yuv420p10le"),
    ],
)
def test_what_the_network_leaves_alone_stays(restore, rng, tmp_path, fake, monkeypatch, tags, name):
    monkeypatch.setattr(fake, "change", staticmethod(np.copy))
    data = y4m(rng, tags, name)
    (tmp_path / "a.y4m").write_bytes(data)
    assert restore("a.y4m", output="b.y4m").exit_code == 0
    assert (tmp_path / "b.y4m").read_bytes() == data
    assert fake.seen == [(HEIGHT, WIDTH, 1 if name == "gray" else 3)] * FRAMES


@pytest.mark.parametrize("pix_fmt", [None, "bgr24", "gray", "rgb48le", "yuv420p"])
def test_raw_frames(restore, rng, tmp_path, pix_fmt):
    layout = layout_of(pix_fmt or "rgb24")
    format = FrameFormat(layout, WIDTH, HEIGHT)
    (tmp_path / "a.raw").write_bytes(rng.bytes(2 * format.frame_bytes))
    report = restore("a.raw", output="b.raw", size=(WIDTH, HEIGHT), pix_fmt=pix_fmt)
    assert (report.exit_code, report.files[0].frames) == (0, 2)
    before, after = ((tmp_path / name).read_bytes() for name in ("a.raw", "b.raw"))
    assert len(after) == len(before)
    if layout.kind != "yuv":
        samples = (np.frombuffer(data, layout.dtype).astype(float) for data in (before, after))
        old, new = samples
        assert np.abs(new - 0.9 * old).max() <= 0.51


def test_from_one_stream_into_another(restore, rng, tmp_path):
    (tmp_path / "a.rgb").write_bytes(bytes([200]) * (WIDTH * HEIGHT * 3))
    assert restore("a.rgb", size=(WIDTH, HEIGHT), format="y4m").files[0].output == "a_deblur.y4m"
    header, (pixels,) = pixels_of((tmp_path / "a_deblur.y4m").read_bytes())
    assert (header.format.layout.name, header.rate) == ("yuv444p", 25)
    np.testing.assert_allclose(pixels, 0.9 * 200 / 255, atol=0.005)
    assert restore("a_deblur.y4m", output="b.raw").exit_code == 0
    data = np.frombuffer((tmp_path / "b.raw").read_bytes(), np.uint8)
    np.testing.assert_allclose(data, 0.81 * 200, atol=1)
    restore("a_deblur.y4m", output="c.raw", pix_fmt="gray")
    assert (tmp_path / "c.raw").stat().st_size == WIDTH * HEIGHT


def test_upscale_enlarges_the_frames(restore, rng, tmp_path, fake):
    (tmp_path / "a.y4m").write_bytes(y4m(rng))
    report = restore("a.y4m", task="upscale", scale=2)
    assert (report.files[0].width, report.files[0].height) == (80, 60)
    assert fake.seen == [(60, 80, 3)] * FRAMES
    data = (tmp_path / "a_upscale.y4m").read_bytes()
    assert data.startswith(b"YUV4MPEG2 W80 H60 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n")
    header, frames = pixels_of(data)
    assert (header.frames, frames[2].shape) == (3, (60, 80, 3))


def test_what_is_whole_of_a_cut_stream_is_kept(restore, rng, tmp_path):
    data = y4m(rng)
    (tmp_path / "a.y4m").write_bytes(data[:-10])
    report = restore("a.y4m")
    assert report.exit_code == 3
    assert str(report.failures[0]).startswith(
        "a.y4m: the stream ends within a frame, after 2 whole frames"
    )
    assert len(pixels_of((tmp_path / "a_deblur.y4m").read_bytes())[1]) == 2


def test_without_frames_nothing_is_written(restore, rng, tmp_path):
    (tmp_path / "a.y4m").write_bytes(y4m(rng, frames=0))
    (tmp_path / "a.raw").write_bytes(b"")
    (tmp_path / "b.raw").write_bytes(b"abc")
    report = restore("a.y4m", output="c.y4m")
    assert str(report.failures[0]) == "a.y4m: no frames (check the file)"
    report = restore("a.raw", "b.raw", size=(WIDTH, HEIGHT))
    assert [error.what for error in report.failures] == [
        "no frames",
        "the stream ends within a frame, after 0 whole frames",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.raw", "a.y4m", "b.raw"]


def test_a_frame_that_fails_leaves_nothing(restore, rng, tmp_path, fake, monkeypatch):
    def change(pixels):
        if len(fake.seen) == 2:
            raise ResultError("the colours have moved")
        return pixels

    monkeypatch.setattr(fake, "change", staticmethod(change))
    (tmp_path / "a.y4m").write_bytes(y4m(rng))
    report = restore("a.y4m")
    assert report.exit_code == 6
    assert [path.name for path in tmp_path.iterdir()] == ["a.y4m"]


@pytest.mark.parametrize(
    ("inputs", "output", "options", "message"),
    [
        (["a.raw"], None, {}, "do not tell how large they are (add --size WIDTHxHEIGHT)"),
        (["a.y4m"], None, {"size": (40, 30)}, "--size is for raw video"),
        (["a.y4m"], None, {"pix_fmt": "gray"}, "--pix-fmt is not for Y4M"),
        (["a.y4m"], None, {"bit_depth": 16}, "--bit-depth is not for Y4M"),
        (["a.raw"], None, {"size": (40, 30), "pix_fmt": "nv12"}, "format is called 'nv12'"),
        (["a.y4m"], "b.png", {}, "cannot write a video as .png"),
        (["a.y4m"], "b.xyz", {}, "cannot write .xyz files"),
    ],
)  # fmt: skip
def test_errors(restore, rng, tmp_path, fake, inputs, output, options, message):
    (tmp_path / "a.y4m").write_bytes(y4m(rng))
    (tmp_path / "a.raw").write_bytes(bytes(3600))
    before = sorted(tmp_path.iterdir())
    try:
        error = str(restore(*inputs, output=output, **options).failures[0])
    except Exception as raised:  # noqa: BLE001 - which one is checked by its words
        error = str(raised)
    assert message in error
    assert fake.seen == []
    assert sorted(tmp_path.iterdir()) == before


# What containers begin with; raw frames may begin with anything.
BEGINNINGS = {
    "mp4": bytes.fromhex("00000018") + b"ftypmp42",
    "mkv": bytes.fromhex("1a45dfa3"),
    "avi": b"RIFF" + bytes(4) + b"AVI ",
}


@pytest.mark.parametrize("source", ["-", "a.mp4"])
@pytest.mark.parametrize("kind", BEGINNINGS)
def test_a_size_makes_raw_frames_of_what_begins_like_a_container(
    restore, kind, source, monkeypatch, fake, tmp_path
):
    data = (BEGINNINGS[kind] + bytes(range(256)) * 20)[: WIDTH * HEIGHT * 3]
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    monkeypatch.setattr(fake, "change", staticmethod(np.copy))
    with path.open("rb") as piped:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(piped))
        report = restore(source, output="b.raw", size=(WIDTH, HEIGHT), pix_fmt="rgb24")
    assert (report.exit_code, report.files[0].frames) == (0, 1)
    assert (tmp_path / "b.raw").read_bytes() == data


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_without_a_size_containers_are_not_read_from_a_pipe(restore, kind, monkeypatch, fake):
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(BEGINNINGS[kind] + bytes(4000))))
    monkeypatch.setattr(sys, "stdin", stdin)
    error = str(restore("-", output="b.raw").failures[0])
    assert "video files are not read from a pipe" in error
    assert fake.seen == []


def test_images_beside_videos(restore, rng, tmp_path):
    from restore_cli.imaging.image import Image
    from restore_cli.imaging.writing import write_image

    write_image("a.png", Image(rng.random((30, 40, 3), dtype=np.float32)))
    (tmp_path / "b.y4m").write_bytes(y4m(rng))
    report = restore("a.png", "b.y4m", output="out/")
    assert report.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a_deblur.png",
        "b_deblur.y4m",
    ]
    report = restore("a.png", output="c.mp4")
    assert report.exit_code == 3
    assert "cannot write .mp4 files" in str(report.failures[0])


def test_video_files(restore, tmp_path, fake, monkeypatch):
    monkeypatch.setattr(fake, "change", staticmethod(np.copy))
    write_clip(tmp_path / "a.mp4", turn=180)
    events = []
    report = restore("a.mp4", on_event=events.append)
    (result,) = report.files
    assert (result.output, result.status, result.frames) == ("a_deblur.mp4", "done", 8)
    assert [(e.done, e.total) for e in events if e.kind == "frames"][-1] == (8, 8)
    for (start, old), (at, new) in zip(
        frames_of(tmp_path / "a.mp4"), frames_of(tmp_path / "a_deblur.mp4"), strict=True
    ):
        assert (start, np.abs(old.astype(int) - new).mean() < 2) == (at, True)
    assert packets_of(tmp_path / "a.mp4", "audio") == packets_of(tmp_path / "a_deblur.mp4", "audio")
    report = restore("a.mp4", output="b.y4m")
    assert report.files[0].notes == (
        "the pictures lie on their side: Y4M cannot say how to turn them",
        "sound is left out: Y4M holds none",
    )
    assert restore("b.y4m", output="c.webm", quality=90).files[0].frames == 8
    luma = [picture for _, picture in frames_of(tmp_path / "c.webm")]
    assert np.abs(luma[7].astype(int) - frames_of(tmp_path / "a.mp4")[7][1]).mean() < 4


def test_video_files_upscaled_and_of_other_kinds(restore, tmp_path, fake):
    write_clip(tmp_path / "a.avi", count=3, codec="mpeg4", sound="mp3", time_base=(1, 25))
    report = restore("a.avi", task="upscale", scale=2)
    assert (report.files[0].output, report.files[0].width) == ("a_upscale.mkv", 128)
    assert fake.seen == [(96, 128, 3)] * 3
    assert frames_of(tmp_path / "a_upscale.mkv")[0][1].shape == (96, 128)
    report = restore("a.avi", output="b.webm")
    assert report.exit_code == 3
    assert str(report.failures[0]).startswith("a.avi: WebM cannot hold sound in mp3")
    report = restore("a.avi", output="c.raw")
    assert (tmp_path / "c.raw").stat().st_size == 3 * 64 * 48 * 3
    with pytest.raises(ImageError, match=r"cannot write \.avi files \(choose y4m, rawvideo, mp4"):
        restore("a.avi", in_place=True)


def test_text_on_stdin_is_no_video(restore, monkeypatch):
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"YUV without more")))
    monkeypatch.setattr(sys, "stdin", stdin)
    report = restore("-", output="a.png")
    assert "text, not an image" in str(report.failures[0])
